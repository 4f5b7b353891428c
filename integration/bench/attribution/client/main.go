// Command client is a program at its shortest: it connects, shakes hands under
// a name, makes one request and ends; or, as "hello", ends as soon as its first
// bytes are sent. Usage: client request|hello ADDRESS NAME.
//
// It imports the standard library alone, so that it starts fast.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: client request|hello ADDRESS NAME")
		os.Exit(2)
	}
	if err := run(os.Args[1] == "hello", os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(leave bool, address, name string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	if leave {
		connection = leaving{connection}
	}
	// The server is the benchmark's own and lives as long as it does.
	session := tls.Client(connection, &tls.Config{ServerName: name, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
	if _, err := fmt.Fprintf(session, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, session)
	return err
}

// leaving ends the program at its first write.
type leaving struct{ net.Conn }

func (l leaving) Write(p []byte) (int, error) {
	if _, err := l.Conn.Write(p); err != nil {
		return 0, err
	}
	os.Exit(0)
	return len(p), nil
}
