package format

import "github.com/gnomon-ai/gnomon/signatures"

// newZeekQUIC reads quic.log: the server name of QUIC connections
// (https://docs.zeek.org/en/master/logs/quic.html).
func newZeekQUIC(o Options) Parser {
	return newZeek(o, zeekConnection(Keys{"tls_name": {"server_name"}}), func(_ *values, r *Record, result Result) Result {
		r.Kind, r.Protocol = signatures.KindQUIC, "udp"
		return result
	})
}
