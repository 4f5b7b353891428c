package network

import (
	"bytes"
	"encoding/binary"
)

// readPostgreSQL reads the requests that may come before a hello
// (https://www.postgresql.org/docs/current/protocol-message-formats.html):
// GSSENCRequest, which a server may turn down, and SSLRequest.
func readPostgreSQL(b []byte, _ int, _ *preface) (int, verdict) {
	const (
		ssl = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
		gss = "\x00\x00\x00\x08\x04\xd2\x16\x30"
	)
	if v := startsWith(b, gss); v == wrapAgain {
		return len(gss), wrapAgain
	}
	v := startsWith(b, ssl)
	if v == wrapAgain {
		v = wrapOver
	}
	return len(ssl), v
}

// readMySQL reads the SSLRequest of MySQL and MariaDB
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_ssl_request.html):
// the first packet of the client, of 32 bytes, with two flags set and nothing
// in its reserved bytes that MariaDB does not use.
func readMySQL(b []byte, _ int, _ *preface) (int, verdict) {
	const (
		n          = 4 + 32
		protocol41 = 0x0200
		ssl        = 0x0800
	)
	if v := startsWith(b, "\x20\x00\x00\x01"); v != wrapAgain {
		return n, v
	}
	if len(b) < n {
		return n, wrapMore
	}
	flags := binary.LittleEndian.Uint32(b[4:])
	if flags&protocol41 == 0 || flags&ssl == 0 || bytes.Count(b[13:32], []byte{0}) != 19 {
		return 0, wrapNot
	}
	return n, wrapOver
}

// readTDS reads the prelogin packets of MS-SQL ([MS-TDS], sections 2.2.3.1 and
// 2.2.6.5; https://learn.microsoft.com/openspecs/windows_protocols/ms-tds): the
// first holds options, the next one, up to version 7.4, a record of TLS.
func readTDS(b []byte, stage int, _ *preface) (int, verdict) {
	const (
		prelogin = 0x12
		header   = 8
		version  = 0 // the first option of a prelogin
		record   = 0x16
	)
	if b[0] != prelogin {
		return 0, wrapNot
	}
	if len(b) <= header {
		return header + 1, wrapMore
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case n <= header || b[1] > 1 || b[7] != 0:
		return 0, wrapNot
	case b[header] == version && stage == 0:
		return whole(b, n, wrapAgain)
	case b[header] == record && stage > 0:
		return header, wrapOver
	}
	return 0, wrapNot
}

// readRDP reads a connection request of X.224 in TPKT ([MS-RDPBCGR], section
// 2.2.1.1; https://learn.microsoft.com/openspecs/windows_protocols/ms-rdpbcgr).
func readRDP(b []byte, _ int, _ *preface) (int, verdict) {
	const (
		header  = 7
		request = 0xe0
	)
	if v := startsWith(b, "\x03\x00"); v != wrapAgain {
		return header, v
	}
	if len(b) < header {
		return header, wrapMore
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < header || b[5]&0xf0 != request || int(b[4]) != n-5 {
		return 0, wrapNot
	}
	return whole(b, n, wrapOver)
}
