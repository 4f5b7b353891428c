package format

import (
	"encoding/binary"
	"strings"
	"testing"
)

// sampleOptions are the options under which samples of a format make sense.
func sampleOptions(name string) Options {
	o := testOptions()
	switch name {
	case "csv":
		o.Header = true
		o.Keys = Keys{"time": {"time"}, "host": {"dest"}, "client": {"src"}, "user": {"user"}, "bytes_up": {"sent"}}
	case "json":
		o.Keys = Keys{"time": {"@timestamp"}, "url": {"url.full"}, "client": {"source.ip"}, "user": {"user.name"}, "method": {"http.request.method"}}
	}
	return o
}

// samples are lines of every format.
func samples() map[string][][]byte {
	all := map[string][][]byte{}
	for name, text := range sampleTexts() {
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			all[name] = append(all[name], []byte(line))
		}
	}
	all["dnstap"] = [][]byte{dnstapFrame(5, "api.openai.com"), dnstapFrame(6, "api.openai.com"), dnstapFrame(3, "api.openai.com")}
	return all
}

func sampleTexts() map[string]string {
	return map[string]string{
		"zeek_ssl": zeekSSLText, "zeek_dns": zeekDNSText, "zeek_http": zeekHTTPText, "zeek_quic": zeekQUICText,
		"suricata_eve": suricataText, "squid": squidText, "combined": combinedText, "envoy_json": envoyText, "nginx_json": nginxText,
		"dnsmasq": dnsmasqText, "unbound": unboundText, "bind": bindText, "coredns": coreDNSText, "cef": cefText, "leef": leefText,
		"keyvalue": keyValueText, "csv": csvText, "json": jsonText,
	}
}

// dnstapFrame builds a frame with a query of kind by 192.0.2.7 for name.
func dnstapFrame(kind byte, name string) []byte {
	query := []byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	query = append(query, 0, 0, 1, 0, 1)
	var m []byte
	m = append(m, 1<<3, kind)                            // type
	m = append(m, 2<<3, 1, 3<<3, 1)                      // INET, UDP
	m = append(m, 4<<3|2, 4, 192, 0, 2, 7)               // query_address
	m = append(m, 5<<3|2, 4, 192, 0, 2, 53)              // response_address
	m = append(m, 6<<3)                                  // query_port
	m = binary.AppendUvarint(m, 53211)                   //
	m = append(m, 7<<3, 53)                              // response_port
	m = append(m, 8<<3)                                  // query_time_sec
	m = binary.AppendUvarint(m, 1700000000)              //
	m = append(m, 9<<3|5)                                // query_time_nsec
	m = binary.LittleEndian.AppendUint32(m, 250_000_000) //
	m = binary.AppendUvarint(append(m, 10<<3|2), uint64(len(query)))
	m = append(m, query...)
	frame := []byte{1<<3 | 2, 3, 'n', 's', '1'} // identity
	frame = binary.AppendUvarint(append(frame, 14<<3|2), uint64(len(m)))
	frame = append(frame, m...)
	return append(frame, 15<<3, 1) // type MESSAGE
}

// FuzzParse feeds any two lines to any format: what is used must be within the
// bounds of records and carry no query, fragment or password.
func FuzzParse(f *testing.F) {
	formats := List()
	for i, format := range formats {
		lines := samples()[format.Name]
		for j, line := range lines {
			f.Add(uint8(i), lines[max(j-1, 0)], line)
		}
	}
	f.Add(uint8(0), []byte(zeekSSLText[:strings.LastIndex(zeekSSLText, "#")]), []byte("{\"a\":[[[[[[\"\\u12"))
	f.Fuzz(func(t *testing.T, index uint8, first, second []byte) {
		format := formats[int(index)%len(formats)]
		p := format.New(sampleOptions(format.Name))
		var r Record
		for _, line := range [][]byte{first, second} {
			checkRecord(t, p.Parse(line, &r), &r, line)
		}
		checkRecord(t, NewSyslog(p, testOptions()).Parse(second, &r), &r, second)
	})
}

func checkRecord(t *testing.T, result Result, r *Record, line []byte) {
	t.Helper()
	if result >= Results {
		t.Fatalf("result %d", result)
	}
	if result != Use {
		return
	}
	if len(r.Name) == 0 && len(r.Path) == 0 {
		t.Fatal("a record that says nothing is used")
	}
	if len(r.Path) > maxText || len(r.User) > maxText || len(r.Method) > 32 || len(r.Name) > max(len(line), 255*4) {
		t.Fatalf("bounds: name %d, path %d, user %d, method %d of %d bytes", len(r.Name), len(r.Path), len(r.User), len(r.Method), len(line))
	}
	if strings.ContainsAny(string(r.Path), "?#") {
		t.Fatalf("path %q holds a query", r.Path)
	}
	if r.Time < 0 {
		t.Fatalf("time %d", r.Time)
	}
	switch r.Kind {
	case "tls", "quic", "dns", "http":
	default:
		t.Fatalf("kind %q", r.Kind)
	}
}
