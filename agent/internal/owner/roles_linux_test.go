package owner

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// playSystem is the helper programs that need calls of this system.
func playSystem(role, network, address string) (done bool, err error) {
	switch role {
	case "blocking": // connect(2) that waits, on a socket of the address's family
		return true, rawDial(address, false, func(fd int, to unix.Sockaddr) error { return unix.Connect(fd, to) })
	case "mapped": // IPv4 through an IPv6 socket
		return true, rawDial(address, true, func(fd int, to unix.Sockaddr) error { return unix.Connect(fd, to) })
	case "fastopen": // the connection is opened by the first write
		return true, rawDial(address, false, func(fd int, to unix.Sockaddr) error {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); err != nil {
				return err
			}
			return unix.Connect(fd, to)
		})
	case "fastsend": // without connect(2) at all
		return true, rawDial(address, false, func(fd int, to unix.Sockaddr) error {
			return unix.Sendto(fd, nil, unix.MSG_FASTOPEN, to)
		})
	case "unconnected": // UDP as most servers and some clients of QUIC use it
		return true, sendUnconnected(network, address)
	case "handed": // the socket is made here and used by another program
		return true, handOver(network, address)
	case "status": // what a resolver without rights says
		return true, printStatus()
	}
	return false, nil
}

// rawDial connects with connect and says hello.
func rawDial(address string, mapped bool, connect func(int, unix.Sockaddr) error) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	family, peer := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if mapped {
		family, peer = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := connect(fd, peer); err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("hello"))
	return err
}

func sendUnconnected(network, address string) error {
	to, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		return err
	}
	c, err := net.ListenUDP(network, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WriteTo([]byte("hello"), to)
	return err
}

// handOver makes a socket, and becomes another program that connects it.
func handOver(network, address string) error {
	if network == "inherited" {
		to := netip.MustParseAddrPort(address)
		if err := unix.Connect(3, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return err
		}
		_, err := unix.Write(3, []byte("hello"))
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Dup3(fd, 3, 0); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", []string{"handed", "inherited", address}, os.Environ())
}

// printStatus runs a resolver that asks for ebpf and prints how it works.
func printStatus() error {
	config := DefaultConfig()
	config.Method = EBPF
	r := New(config, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Run(ctx); err != nil {
		return err
	}
	defer r.Close()
	text, err := json.Marshal(r.Status())
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(text))
	return err
}
