package format

import "testing"

const unboundText = `[1700000000] unbound[812:0] notice: init module 0: validator
[1700000000] unbound[812:0] info: start of service (unbound 1.19.2).
[1700000001] unbound[812:0] info: 192.0.2.7 api.openai.com. A IN
[1700000001] unbound[812:0] info: 192.0.2.7 api.openai.com. A IN NOERROR 0.012345 0 76
Nov 23 19:31:58 unbound[812:1] info: query: 2001:db8::7 claude.ai. HTTPS IN
[1700000001] unbound[812:0] info: resolving api.openai.com. A IN
[1700000001] unbound[812:0] info: 192.0.2.7 . NS IN
`

func TestUnbound(t *testing.T) {
	expect(t, read(t, "unbound", testOptions(), unboundText),
		said{Result: "ignored"}, said{Result: "ignored"},
		said{Result: "used", Time: "2023-11-14T22:13:21Z", Kind: "dns", Name: "api.openai.com", Client: "192.0.2.7"},
		said{Result: "ignored"},
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "dns", Name: "claude.ai", Client: "2001:db8::7"},
		said{Result: "ignored"},
		said{Result: "used", Time: "2023-11-14T22:13:21Z", Kind: "dns", Name: ".", Client: "192.0.2.7"},
	)
}

// TestUnboundRepliesAlone counts replies where queries are not logged.
func TestUnboundRepliesAlone(t *testing.T) {
	expect(t, read(t, "unbound", testOptions(), "[1700000001] unbound[812:0] info: reply: 192.0.2.7 api.openai.com. A IN NOERROR 0.012345 0 76"),
		said{Result: "used", Time: "2023-11-14T22:13:21Z", Kind: "dns", Name: "api.openai.com", Client: "192.0.2.7"})
}
