package format

import "github.com/gnomon-ai/gnomon/signatures"

// suricataKeys are those of EVE
// (https://docs.suricata.io/en/latest/output/eve/eve-json-format.html). The name
// of a lookup is dns.rrname in versions 1 and 2, and that of the first of
// dns.queries in version 3.
func suricataKeys() Keys {
	return Keys{
		"time":        {"timestamp"},
		"client":      {"src_ip"},
		"client_port": {"src_port"},
		"server":      {"dest_ip"},
		"server_port": {"dest_port"},
		"protocol":    {"proto"},
		"tls_name":    {"tls.sni", "quic.sni"},
		"host":        {"http.hostname"},
		"path":        {"http.url"},
		"method":      {"http.http_method"},
		"bytes_down":  {"http.length"},
		"dns_name":    {"dns.rrname", "dns.query.rrname", "dns.queries.rrname"},
	}
}

// suricata reads EVE: events of type tls, dns, http and quic; all others are
// passed over.
type suricata struct{ jsonLines }

func newSuricata(o Options) Parser {
	names, where := suricataKeys().places(o.Keys)
	names = append(names, "event_type", "dns.type")
	where = append(where, place{field: fieldEvent}, place{field: fieldState})
	return &suricata{jsonLines{composer: composer{clock: newClock(o)}, reader: jsonReader{tree: newJSONTree(names, where)}}}
}

// Parse implements Parser. An HTTP event of a request that is only a path
// keeps it; a DNS answer has its query's own event.
func (p *suricata) Parse(line []byte, r *Record) Result {
	if !p.fields(line) {
		return Malformed
	}
	v := &p.values
	switch string(v.text[fieldEvent]) {
	case "dns":
		if s := string(v.text[fieldState]); s != "query" && s != "request" {
			return Ignored
		}
		v.text[fieldHost], v.text[fieldTLSName] = nil, nil
	case "tls", "quic":
		v.text[fieldDNSName], v.text[fieldHost], v.text[fieldPath] = nil, nil, nil
	case "http":
		v.text[fieldDNSName], v.text[fieldTLSName] = nil, nil
	case "":
		return Malformed
	default:
		return Ignored
	}
	result := p.compose(v, r)
	if result == Use && string(v.text[fieldEvent]) == "quic" {
		r.Kind, r.Protocol = signatures.KindQUIC, "udp"
	}
	return result
}
