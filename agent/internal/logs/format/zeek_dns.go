package format

// newZeekDNS reads dns.log: names looked up
// (https://docs.zeek.org/en/master/logs/dns.html). Multicast lookups name
// neighbours and are passed over.
func newZeekDNS(o Options) Parser {
	return newZeek(o, zeekConnection(Keys{"dns_name": {"query"}, "protocol": {"proto"}}), func(_ *values, r *Record, result Result) Result {
		if result == Use && (r.ServerPort == 5353 || r.ServerPort == 5355 || r.ServerPort == 137) {
			return Ignored
		}
		return result
	})
}
