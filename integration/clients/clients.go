// Package clients runs the TLS and QUIC clients that people really have,
// browsers among them, under many names against one local server. It is used
// by the tests from outside.
//
// It imports the standard library alone. It reaches nothing but loopback: every
// client is told to find every name there, and browsers' own background
// traffic goes nowhere.
package clients

import (
	"context"
	"embed"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed client.js client.py Client.java
var programs embed.FS

// Server is where the clients are to connect.
type Server struct {
	Address   string // of loopback, with its port
	Authority []byte // DER of the certificate that its certificates descend from
	KeyHash   string // SHA-256 of its public key, in base64
}

// Client is one program, used one way.
type Client struct {
	Name     string
	Needs    []string // programs that must be installed
	Packages []string // of Debian, that bring them
	Process  string   // part of the path of the process that connects
	Protocol string   // as findings say it: tls or quic
	run      func(ctx context.Context, r run) error
}

// run is one use of a client.
type run struct {
	host, port string
	names      []string
	authority  string // file, PEM
	folder     string // for its files
	server     Server
}

// Missing lists the programs that are not installed.
func (c *Client) Missing() []string {
	var list []string
	for _, name := range c.Needs {
		if _, err := exec.LookPath(name); err != nil {
			list = append(list, name)
		}
	}
	return list
}

// Connect has the client ask for every name once. folder is for its files.
func (c *Client) Connect(ctx context.Context, server Server, folder string, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	host, port, err := net.SplitHostPort(server.Address)
	if err != nil {
		return err
	}
	r := run{host: host, port: port, names: names, authority: filepath.Join(folder, "authority.pem"), folder: folder, server: server}
	if err := os.WriteFile(r.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Authority}), 0o600); err != nil {
		return err
	}
	entries, err := programs.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		text, err := programs.ReadFile(entry.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, entry.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return c.run(ctx, r)
}

// start runs a program to its end.
func (r *run) start(ctx context.Context, program string, arguments ...string) error {
	c := exec.CommandContext(ctx, program, arguments...)
	c.Dir = r.folder
	c.Env = append(os.Environ(), "HOME="+r.folder, "NO_PROXY=*", "no_proxy=*")
	if out, err := c.CombinedOutput(); err != nil {
		text := string(out)
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, text[max(0, len(text)-2000):])
	}
	return nil
}

// urls are the names as addresses of the server.
func (r *run) urls() []string {
	list := make([]string, len(r.names))
	for i, name := range r.names {
		list[i] = "https://" + name + ":" + r.port + "/v1/models"
	}
	return list
}

// hosts writes a file in the form of /etc/hosts.
func (r *run) hosts() (string, error) {
	name := filepath.Join(r.folder, "hosts")
	return name, os.WriteFile(name, []byte(r.host+" "+strings.Join(r.names, "\n"+r.host+" ")+"\n"), 0o600)
}

// page writes a page that loads something from every name.
func (r *run) page() (string, error) {
	var text strings.Builder
	text.WriteString("<!doctype html><title>names</title>\n")
	for _, url := range r.urls() {
		fmt.Fprintf(&text, "<img src=%q>\n", url)
	}
	name := filepath.Join(r.folder, "page.html")
	return "file://" + name, os.WriteFile(name, []byte(text.String()), 0o600)
}
