package format

import "testing"

const dnsmasqText = `Nov 23 19:31:58 dnsmasq[812]: query[A] api.openai.com from 192.0.2.7
Nov 23 19:31:58 dnsmasq[812]: forwarded api.openai.com to 203.0.113.53
Nov 23 19:31:58 dnsmasq[812]: reply api.openai.com is 203.0.113.9
Nov 23 19:31:59 dnsmasq[812]: 41 2001:db8::7/48561 query[type=65] claude.ai from 2001:db8::7
dnsmasq: query[AAAA] api.mistral.ai from 127.0.0.1
Nov 23 19:31:58 dnsmasq[812]: query[A] broken
Nov 23 19:31:58 dnsmasq-dhcp[812]: DHCPACK(eth0) 192.0.2.7 00:00:5e:00:53:01 laptop
`

func TestDnsmasq(t *testing.T) {
	expect(t, read(t, "dnsmasq", testOptions(), dnsmasqText),
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "dns", Name: "api.openai.com", Client: "192.0.2.7"},
		said{Result: "ignored"}, said{Result: "ignored"},
		said{Result: "used", Time: "2026-11-23T18:31:59Z", Kind: "dns", Name: "claude.ai", Client: "[2001:db8::7]:48561"},
		said{Result: "used", Kind: "dns", Name: "api.mistral.ai", Client: "127.0.0.1"},
		said{Result: "malformed"}, said{Result: "ignored"},
	)
}
