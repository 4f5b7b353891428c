package format

import "bytes"

// cefKeys are the keys of CEF's dictionary that say who asked for what, and the
// variants that gateways send
// (https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-8.4/pdfdoc/cef-implementation-standard/cef-implementation-standard.pdf,
// https://help.zscaler.com/zia/nss-feed-output-format-web-logs). By the standard
// "in" is what went from source to destination.
func cefKeys() Keys {
	return Keys{
		"time":        {"rt", "end", "start", "deviceReceiptTime"},
		"host":        {"dhost", "destinationHostName", "dstHost"},
		"url":         {"request", "requestUrl", "requestURL", "url"},
		"method":      {"requestMethod"},
		"client":      {"src", "sourceAddress", "c6a2"},
		"client_port": {"spt", "sourcePort"},
		"server":      {"dst", "destinationAddress", "c6a3"},
		"server_port": {"dpt", "destinationPort"},
		"user":        {"suser", "sourceUserName", "suid", "duser"},
		"bytes_up":    {"in", "bytesIn"},
		"bytes_down":  {"out", "bytesOut"},
		"status":      {"outcome"},
		"action":      {"act", "deviceAction"},
		"protocol":    {"proto", "transportProtocol"},
	}
}

// cefReversed lists the vendors that use "in" for what came back from the
// server: Zscaler (in=respsize, out=reqsize) and Fortinet (in=rcvdbyte,
// out=sentbyte).
func cefReversed(vendor []byte) bool {
	return equalFold(vendor, "zscaler") || equalFold(vendor, "fortinet")
}

// cef reads CEF, behind a syslog envelope or not.
type cef struct{ keyed }

func newCEF(o Options) Parser { return &cef{newKeyed(o, cefKeys())} }

// cefHeader is the number of values before the extension.
const cefHeader = 7

// Parse implements Parser.
func (p *cef) Parse(line []byte, r *Record) Result {
	at := bytes.Index(line, []byte("CEF:"))
	if at < 0 {
		return notThis(line)
	}
	b := line[at:]
	var vendor []byte
	for i := range cefHeader {
		end := unescapedByte(b, '|')
		if end < 0 {
			return TooShort
		}
		if i == 1 {
			vendor = b[:end]
		}
		b = b[end+1:]
	}
	p.values = values{}
	p.extension(b)
	if cefReversed(vendor) {
		v := &p.values
		v.text[fieldUp], v.text[fieldDown] = v.text[fieldDown], v.text[fieldUp]
	}
	return p.compose(&p.values, r)
}

// notThis is the result of a line without the format's mark.
func notThis(line []byte) Result {
	if len(bytes.TrimSpace(line)) == 0 {
		return Ignored
	}
	return Malformed
}

// unescapedByte finds c where no backslash stands before it.
func unescapedByte(b []byte, c byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case c:
			return i
		}
	}
	return -1
}

// keyed is the common part of the formats with key=value.
type keyed struct {
	composer
	places  map[string][]place
	values  values
	scratch []byte
}

func newKeyed(o Options, defaults Keys) keyed {
	k := keyed{composer: composer{clock: newClock(o), layout: o.TimeLayout}, places: map[string][]place{}}
	names, where := defaults.places(o.Keys)
	for i, name := range names {
		k.places[name] = append(k.places[name], where[i])
	}
	return k
}

// Reset implements Parser.
func (k *keyed) Reset() {}

func (k *keyed) put(key, text []byte) {
	for _, p := range k.places[string(key)] {
		k.values.put(p, text)
	}
}

// extension reads key=value pairs between spaces, in which a value may hold
// spaces: it ends where the next key begins. "\=", "\\" and "\n" are escapes.
func (k *keyed) extension(b []byte) {
	k.scratch = k.scratch[:0]
	equals := unescapedByte(b, '=')
	for equals >= 0 {
		key := bytes.TrimSpace(b[:equals])
		b = b[equals+1:]
		equals = unescapedByte(b, '=')
		text := b
		if equals >= 0 {
			space := bytes.LastIndexByte(b[:equals], ' ')
			if space < 0 { // no room for a key: the sign belongs to the value
				space = 0
				if next := bytes.IndexByte(b[equals:], ' '); next >= 0 {
					space = equals + next
				} else {
					space = len(b)
				}
			}
			text, b = b[:space], b[space:]
			equals = unescapedByte(b, '=')
		}
		if _, wanted := k.places[string(key)]; wanted {
			k.put(key, k.unescape(bytes.TrimSpace(text)))
		}
	}
}

// unescape removes the backslashes of a value.
func (k *keyed) unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	start := len(k.scratch)
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && bytes.IndexByte([]byte(`=|\`), b[i+1]) >= 0 {
			i++
		}
		k.scratch = append(k.scratch, b[i])
	}
	return k.scratch[start:len(k.scratch):len(k.scratch)]
}
