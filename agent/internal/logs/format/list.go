package format

import "time"

// Options is what a source's configuration says to its parser.
type Options struct {
	Keys       Keys           // of json, csv and keyvalue; elsewhere they replace the usual ones, field by field
	Delimiter  byte           // csv: between columns, 0 for a comma
	Header     bool           // csv: the first line names the columns
	TimeLayout string         // json, csv and keyvalue: as time.Parse takes it, "" for any known form
	Zone       *time.Location // of times without one; nil is the local zone
	Now        func() time.Time
}

// Framing says how records follow each other.
type Framing uint8

// The framings.
const (
	Lines  Framing = iota // one a line
	Frames                // Frame Streams, as dnstap writes them
)

// Format is one format of logs.
type Format struct {
	Name    string // word of the configuration
	About   string // what writes it
	Framing Framing
	MaxLine int  // default bound of one line, bytes
	Mapped  bool // of no use without Options.Keys
	New     func(Options) Parser
}

// Default bounds of one line, in bytes.
const (
	textLine = 64 << 10
	jsonLine = 1 << 20
)

// List is the list of all formats. Adding one is its file, its test and a line
// here.
func List() []Format {
	return []Format{
		{Name: "zeek_ssl", About: "Zeek ssl.log, TSV or JSON", MaxLine: jsonLine, New: newZeekSSL},
		{Name: "zeek_dns", About: "Zeek dns.log, TSV or JSON", MaxLine: jsonLine, New: newZeekDNS},
		{Name: "zeek_http", About: "Zeek http.log, TSV or JSON", MaxLine: jsonLine, New: newZeekHTTP},
		{Name: "zeek_quic", About: "Zeek quic.log, TSV or JSON", MaxLine: jsonLine, New: newZeekQUIC},
		{Name: "suricata_eve", About: "Suricata eve.json", MaxLine: jsonLine, New: newSuricata},
		{Name: "squid", About: "Squid access.log, logformat squid", MaxLine: textLine, New: newSquid},
		{Name: "combined", About: "Squid, nginx and Apache, logformat combined; also with the host in front", MaxLine: textLine, New: newCombined},
		{Name: "envoy_json", About: "Envoy access log in JSON, Istio's keys by default", MaxLine: jsonLine, New: newEnvoy},
		{Name: "nginx_json", About: "nginx access log in JSON, its variables' names by default", MaxLine: jsonLine, New: newNginx},
		{Name: "dnsmasq", About: "dnsmasq with log-queries", MaxLine: textLine, New: newDnsmasq},
		{Name: "unbound", About: "Unbound with log-queries", MaxLine: textLine, New: newUnbound},
		{Name: "bind", About: "BIND 9, category queries", MaxLine: textLine, New: newBIND},
		{Name: "coredns", About: "CoreDNS, plugin log", MaxLine: textLine, New: newCoreDNS},
		{Name: "dnstap", About: "dnstap of any resolver", Framing: Frames, MaxLine: maxFrame, New: newDnstap},
		{Name: "cef", About: "CEF, as gateways send it", MaxLine: textLine, New: newCEF},
		{Name: "leef", About: "LEEF 1.0 and 2.0, as gateways send it", MaxLine: textLine, New: newLEEF},
		{Name: "keyvalue", About: "key=value, FortiGate's keys by default", MaxLine: textLine, New: newKeyValue},
		{Name: "csv", About: "values in columns, as configured", MaxLine: textLine, Mapped: true, New: newCSV},
		{Name: "json", About: "one JSON object a line, as configured", MaxLine: jsonLine, Mapped: true, New: newJSON},
	}
}

// Find returns the format called name; ok is false where there is none.
func Find(name string) (f Format, ok bool) {
	for _, f := range List() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}
