package owner

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleVariable turns the test binary into one of the programs below.
const roleVariable = "GNOMON_OWNER_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// play is the main of the helper programs.
func play(role string, arguments []string) error {
	network, address := arguments[0], arguments[1]
	if role == "hold" { // only a place for a namespace
		var one [1]byte
		_, _ = os.Stdin.Read(one[:])
		return nil
	}
	if done, err := playSystem(role, network, address); done {
		return err
	}
	connection, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	if _, err := connection.Write([]byte("hello")); err != nil {
		return err
	}
	switch role {
	case "exit": // connect, send, exit
	case "exchange": // connect, send, wait for a reply, exit
		_, _ = connection.Read(make([]byte, 1))
	case "stay": // until told to go
		var one [1]byte
		_, _ = os.Stdin.Read(one[:])
	case "orphan": // close with data unread by the peer, live on
		_ = connection.Close()
		time.Sleep(time.Minute)
	default:
		return fmt.Errorf("unknown role %q", role)
	}
	return nil
}
