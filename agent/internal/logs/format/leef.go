package format

import (
	"bytes"
	"strconv"
)

// leefKeys are LEEF's predefined keys and those that gateways add
// (https://www.ibm.com/docs/en/dsm?topic=leef-predefined-event-attributes).
func leefKeys() Keys {
	return Keys{
		"time":        {"devTime", "eventTime"},
		"host":        {"dhost", "dstHost", "hostName", "hostname", "host", "domain"},
		"url":         {"url", "request", "requestUrl"},
		"method":      {"method", "requestMethod"},
		"client":      {"src"},
		"client_port": {"srcPort"},
		"server":      {"dst"},
		"server_port": {"dstPort"},
		"user":        {"usrName", "user", "login"},
		"bytes_up":    {"srcBytes"},
		"bytes_down":  {"dstBytes"},
		"status":      {"responseCode", "respcode"},
		"action":      {"action", "act"},
		"protocol":    {"proto"},
	}
}

// leef reads LEEF 1.0 and 2.0, behind a syslog envelope or not.
type leef struct{ keyed }

func newLEEF(o Options) Parser { return &leef{newKeyed(o, leefKeys())} }

// Parse implements Parser.
func (p *leef) Parse(line []byte, r *Record) Result {
	at := bytes.Index(line, []byte("LEEF:"))
	if at < 0 {
		return notThis(line)
	}
	b := line[at:]
	header := 5
	if bytes.HasPrefix(b, []byte("LEEF:2")) {
		header = 6
	}
	delimiter := byte('\t')
	for i := range header {
		end := bytes.IndexByte(b, '|')
		if end < 0 && i == 5 { // 2.0 may leave the delimiter out
			break
		}
		if end < 0 {
			return TooShort
		}
		if i == 5 {
			if bytes.IndexByte(b[:end], '=') >= 0 { // no delimiter, and a bar inside a value
				break
			}
			delimiter = leefDelimiter(b[:end])
		}
		b = b[end+1:]
	}
	p.values = values{}
	for len(b) > 0 {
		end := bytes.IndexByte(b, delimiter)
		pair := b
		if end >= 0 {
			pair, b = b[:end], b[end+1:]
		} else {
			b = nil
		}
		if equals := bytes.IndexByte(pair, '='); equals > 0 {
			p.put(bytes.TrimSpace(pair[:equals]), bytes.TrimSpace(pair[equals+1:]))
		}
	}
	return p.compose(&p.values, r)
}

// leefDelimiter reads one character or its code, x5E or 0x5E.
func leefDelimiter(b []byte) byte {
	switch {
	case len(b) == 1:
		return b[0]
	case len(b) == 0:
		return '\t'
	}
	digits := bytes.TrimLeft(bytes.TrimPrefix(b, []byte{'0'}), "xX")
	v, err := strconv.ParseUint(string(digits[:min(len(digits), 4)]), 16, 8)
	if err != nil {
		return '\t'
	}
	return byte(v)
}
