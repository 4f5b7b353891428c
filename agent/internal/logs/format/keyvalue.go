package format

import "bytes"

// keyValueKeys are those of FortiGate's traffic, web filter and DNS logs
// (https://docs.fortinet.com/document/fortigate/7.4.0/fortios-log-message-reference/).
func keyValueKeys() Keys {
	return Keys{
		"time":        {"eventtime", "timestamp", "ts"},
		"host":        {"hostname", "host", "dhost"},
		"url":         {"url", "request"},
		"dns_name":    {"qname"},
		"tls_name":    {"sni"},
		"method":      {"httpmethod", "method"},
		"client":      {"srcip", "src", "client_ip"},
		"client_port": {"srcport", "spt"},
		"server":      {"dstip", "dst"},
		"server_port": {"dstport", "dpt"},
		"user":        {"user", "unauthuser", "suser"},
		"bytes_up":    {"sentbyte", "bytes_sent"},
		"bytes_down":  {"rcvdbyte", "bytes_received"},
		"action":      {"action", "act"},
		"protocol":    {"proto"},
	}
}

// keyValue reads key=value and key="value" between spaces, in any order. Where
// there is no other time, FortiGate's date and time are one.
type keyValue struct{ keyed }

func newKeyValue(o Options) Parser {
	p := &keyValue{newKeyed(o, keyValueKeys())}
	if _, configured := o.Keys["time"]; !configured {
		p.places["date"] = append(p.places["date"], place{field: fieldEvent})
		p.places["time"] = append(p.places["time"], place{field: fieldState})
	}
	return p
}

// Parse implements Parser.
func (p *keyValue) Parse(line []byte, r *Record) Result {
	p.values, p.scratch = values{}, p.scratch[:0]
	pairs := 0
	for b := bytes.TrimSpace(line); len(b) > 0; {
		end := 0
		for end < len(b) && b[end] != '=' && b[end] != ' ' {
			end++
		}
		if end == len(b) || b[end] == ' ' { // a word without a value
			b = bytes.TrimLeft(b[end:], " ")
			continue
		}
		key := b[:end]
		b = b[end+1:]
		var text []byte
		if len(b) > 0 && b[0] == '"' {
			var ok bool
			if text, b, ok = quoted(b); !ok {
				return Malformed
			}
			text = p.unquote(text)
		} else if space := bytes.IndexByte(b, ' '); space >= 0 {
			text, b = b[:space], b[space:]
		} else {
			text, b = b, nil
		}
		p.put(key, text)
		pairs++
		b = bytes.TrimLeft(b, " ")
	}
	if pairs == 0 {
		return notThis(line)
	}
	p.dateAndTime()
	return p.compose(&p.values, r)
}

// dateAndTime joins the two where no other time is there.
func (p *keyValue) dateAndTime() {
	v := &p.values
	date, day := v.text[fieldEvent], v.text[fieldState]
	if len(v.text[fieldTime]) > 0 || len(day) == 0 {
		return
	}
	if len(date) == 0 {
		v.text[fieldTime] = day
		return
	}
	start := len(p.scratch)
	p.scratch = append(append(append(p.scratch, date...), ' '), day...)
	v.text[fieldTime] = p.scratch[start:]
}

// unquote removes the backslashes before quotes and backslashes.
func (p *keyValue) unquote(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	start := len(p.scratch)
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\') {
			i++
		}
		p.scratch = append(p.scratch, b[i])
	}
	return p.scratch[start:len(p.scratch):len(p.scratch)]
}
