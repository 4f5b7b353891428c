package format

import "testing"

func TestSyslog(t *testing.T) {
	cefLine := "CEF:0|V|P|1|a|b|3|src=192.0.2.7 dhost=claude.ai"
	squidLine := "1700000000.123 456 192.0.2.7 TCP_TUNNEL/200 4567 CONNECT api.openai.com:443 dana HIER_DIRECT/203.0.113.9 -"
	f := func(format, line, name, at string) {
		t.Helper()
		inner, _ := Find(format)
		got := readWith(NewSyslog(inner.New(testOptions()), testOptions()), []string{line})[0]
		if got.Name != name || got.Time != at {
			t.Errorf("%q: name %q at %q (%s), want %q at %q", line, got.Name, got.Time, got.Result, name, at)
		}
	}
	f("cef", "<134>1 2026-11-23T19:31:58.5Z gw nss 1 ID47 [a@1 k=\"v]\\\"\"][b@1] \xef\xbb\xbf"+cefLine, "claude.ai", "2026-11-23T19:31:58.5Z")
	f("cef", "<134>1 - - - - - - "+cefLine, "claude.ai", "")
	f("cef", "<134>Nov 23 19:31:58 gw "+cefLine, "claude.ai", "2026-11-23T18:31:58Z")
	f("cef", "<134>Nov 23 19:31:58 gw nss[12]: "+cefLine, "claude.ai", "2026-11-23T18:31:58Z")
	f("cef", "<134>Nov 23 19:31:58 "+cefLine, "claude.ai", "2026-11-23T18:31:58Z")
	f("cef", "<134>"+cefLine, "claude.ai", "")
	f("cef", cefLine, "claude.ai", "")
	f("cef", "<134>1 yesterday - - - - - "+cefLine, "", "")
	f("cef", "<134>1 2026-11-23T19:31:58Z gw nss 1 ID47 [unclosed "+cefLine, "", "")
	f("squid", "<14>Nov 23 19:31:58 proxy (squid-1): "+squidLine, "api.openai.com", "2023-11-14T22:13:20.123Z")
	f("squid", "<14>Nov 23 19:31:58 proxy squid[812]: "+squidLine, "api.openai.com", "2023-11-14T22:13:20.123Z")
	f("squid", "<14>2026-11-23T19:31:58+01:00 proxy squid[812]: "+squidLine, "api.openai.com", "2023-11-14T22:13:20.123Z")
	f("suricata_eve", `<14>Nov 23 19:31:58 ids suricata: {"event_type":"tls","tls":{"sni":"claude.ai"}}`, "claude.ai", "2026-11-23T18:31:58Z")
	f("suricata_eve", `<14>Nov 23 19:31:58 {"event_type":"tls","tls":{"sni":"claude.ai"}}`, "claude.ai", "2026-11-23T18:31:58Z")
	f("unbound", "<30>Nov 23 19:31:58 ns1 unbound: [812:0] info: 192.0.2.7 claude.ai. A IN", "claude.ai", "2026-11-23T18:31:58Z")
	f("bind", "<30>Nov 23 19:31:58 ns1 named[812]: client @0x1 192.0.2.7#5 (claude.ai): query: claude.ai IN A + (192.0.2.53)", "claude.ai", "2026-11-23T18:31:58Z")
	f("dnsmasq", "<30>Nov 23 19:31:58 ns1 dnsmasq[812]: query[A] claude.ai from 192.0.2.7", "claude.ai", "2026-11-23T18:31:58Z")
	f("keyvalue", `<189>date=2026-11-23 time=19:31:58 srcip=192.0.2.7 hostname="claude.ai"`, "claude.ai", "2026-11-23T18:31:58Z")
}
