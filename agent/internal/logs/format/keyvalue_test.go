package format

import "testing"

const keyValueText = `date=2026-11-23 time=19:31:58 devname="FGT-1" eventtime=1700000000123456789 tz="+0100" logid="0317013312" type="utm" subtype="webfilter" srcip=192.0.2.7 srcport=53211 dstip=203.0.113.9 dstport=443 proto=6 hostname="api.openai.com" url="https://api.openai.com/v1/chat?x=1" user="DANA" sentbyte=120 rcvdbyte=4096 action="passthrough" httpmethod="POST" msg="a \"quoted\" text"
date=2026-11-23 time=19:31:58 type="dns" srcip=192.0.2.7 srcport=40000 dstip=192.0.2.53 dstport=53 proto=17 qname="claude.ai" qtype="A"
date=2026-11-23 time=19:31:58 type="utm" srcip=192.0.2.7 hostname="claude.ai" url="/chat" action="blocked"
hostname="claude.ai url=/x
just some words
srcip=192.0.2.7 action=accept
`

func TestKeyValue(t *testing.T) {
	expect(t, read(t, "keyvalue", testOptions(), keyValueText),
		said{Result: "used", Time: "2023-11-14T22:13:20.123456789Z", Kind: "http", Protocol: "tcp", Name: "api.openai.com", Client: "192.0.2.7:53211", Server: "203.0.113.9:443", Method: "POST", Path: "/v1/chat", User: "DANA", Up: 120, Down: 4096},
		said{Result: "used", Time: "2026-11-23T18:31:58Z", Kind: "dns", Protocol: "udp", Name: "claude.ai", Client: "192.0.2.7:40000", Server: "192.0.2.53:53"},
		said{Result: "denied"}, said{Result: "malformed"}, said{Result: "malformed"}, said{Result: "nameless"},
	)
}
