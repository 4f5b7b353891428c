package format

import "testing"

func TestDnstap(t *testing.T) {
	lines := []string{
		string(dnstapFrame(6, "a.example")), // a response before any query: its query was not logged
		string(dnstapFrame(5, "api.openai.com")), string(dnstapFrame(6, "api.openai.com")), string(dnstapFrame(3, "api.openai.com")),
		"\x72\xff", "", "plain text",
	}
	used := said{Result: "used", Time: "2023-11-14T22:13:20.25Z", Kind: "dns", Protocol: "udp", Name: "api.openai.com", Client: "192.0.2.7:53211", Server: "192.0.2.53:53"}
	first := used
	first.Name = "a.example"
	f, _ := Find("dnstap")
	expect(t, readWith(f.New(testOptions()), lines), first, used, said{Result: "ignored"}, said{Result: "ignored"},
		said{Result: "malformed"}, said{Result: "ignored"}, said{Result: "malformed"})
}
