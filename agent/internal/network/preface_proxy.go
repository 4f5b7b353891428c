package network

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
)

// readSOCKS5 reads what a client says to a SOCKS proxy, version 5: its
// methods, perhaps a user name and password, and its request (RFC 1928,
// RFC 1929). What the proxy chose is told by what the client says next.
func readSOCKS5(b []byte, stage int, p *preface) (int, verdict) {
	const version, password = 5, 1
	switch {
	case b[0] == password && stage > 0:
		return readSOCKSPassword(b)
	case b[0] != version:
		return 0, wrapNot
	case len(b) < 3:
		return 3, wrapMore
	case stage > 0:
		return readSOCKSRequest(b, p)
	}
	n := 2 + int(b[1])
	if b[1] == 0 {
		return 0, wrapNot
	}
	return whole(b, n, wrapAgain)
}

// whole is the verdict on a message of n bytes.
func whole(b []byte, n int, v verdict) (int, verdict) {
	if len(b) < n {
		return n, wrapMore
	}
	return n, v
}

func readSOCKSPassword(b []byte) (int, verdict) {
	if len(b) < 2 {
		return 2, wrapMore
	}
	n := 2 + int(b[1]) + 1
	if len(b) < n {
		return n, wrapMore
	}
	return whole(b, n+int(b[n-1]), wrapAgain)
}

func readSOCKSRequest(b []byte, p *preface) (int, verdict) {
	const (
		associate = 3
		ipv4      = 1
		name      = 3
		ipv6      = 4
	)
	if len(b) < 5 {
		return 5, wrapMore
	}
	if b[1] == 0 || b[1] > associate || b[2] != 0 {
		return 0, wrapNot
	}
	at, size := 4, 0
	switch b[3] {
	case ipv4:
		size = 4
	case ipv6:
		size = 16
	case name:
		at, size = 5, int(b[4])
	default:
		return 0, wrapNot
	}
	n := at + size + 2
	if len(b) < n {
		return n, wrapMore
	}
	host := string(b[at : at+size])
	if b[3] != name {
		address, _ := netip.AddrFromSlice(b[at : at+size])
		host = address.String()
	}
	p.target = target(host, b[n-2:])
	return n, wrapOver
}

// target joins a host and a port of two bytes.
func target(host string, port []byte) string {
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port))))
}

// readSOCKS4 reads a request of version 4 or 4a
// (https://www.openssh.com/txt/socks4.protocol,
// https://www.openssh.com/txt/socks4a.protocol).
func readSOCKS4(b []byte, _ int, p *preface) (int, verdict) {
	const (
		version = 4
		bind    = 2
		fixed   = 8
		longest = 255
	)
	switch {
	case b[0] != version:
		return 0, wrapNot
	case len(b) < 2:
		return 2, wrapMore
	case b[1] == 0 || b[1] > bind:
		return 0, wrapNot
	case len(b) <= fixed:
		return fixed + 1, wrapMore
	}
	text := func(at int) (end int, v verdict) {
		rest := b[at:min(len(b), at+longest+1)]
		switch i := bytes.IndexByte(rest, 0); {
		case i >= 0:
			return at + i, wrapAgain
		case len(rest) > longest:
			return 0, wrapNot
		}
		return len(b) + 1, wrapMore
	}
	end, v := text(fixed)
	if v != wrapAgain {
		return end, v
	}
	address := netip.AddrFrom4([4]byte(b[4:]))
	host, n := address.String(), end+1
	if b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] != 0 { // a name follows
		if end, v = text(n); v != wrapAgain {
			return end, v
		}
		host, n = string(b[n:end]), end+1
	}
	p.target = target(host, b[2:])
	return n, wrapOver
}
