package format

import "testing"

const bindText = `23-Nov-2026 19:31:58.123 queries: info: client @0x7f5c2c0 192.0.2.7#53211 (api.openai.com): query: api.openai.com IN A +E(0)K (192.0.2.53)
2026-11-23T19:31:58.123Z queries: info: client @0x7f5c2c0 2001:db8::7#53211 (claude.ai): view lan: query: claude.ai IN HTTPS +E(0)K (2001:db8::53)
client 192.0.2.7#53211: query: api.mistral.ai IN A + (192.0.2.53)
23-Nov-2026 19:31:58.123 security: info: client @0x7f5c2c0 192.0.2.7#53211 (x): query (cache) 'x/A/IN' denied
23-Nov-2026 19:31:58.123 general: info: running
client 192.0.2.7: query: api.mistral.ai IN A + (192.0.2.53)
`

func TestBIND(t *testing.T) {
	expect(t, read(t, "bind", testOptions(), bindText),
		said{Result: "used", Time: "2026-11-23T18:31:58.123Z", Kind: "dns", Name: "api.openai.com", Client: "192.0.2.7:53211", Server: "192.0.2.53"},
		said{Result: "used", Time: "2026-11-23T19:31:58.123Z", Kind: "dns", Name: "claude.ai", Client: "[2001:db8::7]:53211", Server: "2001:db8::53"},
		said{Result: "used", Kind: "dns", Name: "api.mistral.ai", Client: "192.0.2.7:53211", Server: "192.0.2.53"},
		said{Result: "ignored"}, said{Result: "ignored"}, said{Result: "malformed"},
	)
}
