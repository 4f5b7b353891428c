package signatures

import (
	"strings"
	"testing"
)

func TestNormalizeHost(t *testing.T) {
	f := func(in, want string, ok bool) {
		t.Helper()
		if got, gotOK := NormalizeHost(in); got != want || gotOK != ok {
			t.Errorf("%q: got %q %v, want %q %v", in, got, gotOK, want, ok)
		}
	}
	f("api.openai.com", "api.openai.com", true)
	f("API.OpenAI.COM.", "api.openai.com", true)
	f("localhost", "localhost", true)
	f("_dns-sd._udp.local", "_dns-sd._udp.local", true)
	f("bücher.example", "xn--bcher-kva.example", true)
	f("BÜCHER.example.", "xn--bcher-kva.example", true)
	f("例え。テスト", "xn--r8jz45g.xn--zckzah", true)
	f("192.0.2.1", "192.0.2.1", true)
	f("2001:DB8::1", "2001:DB8::1", true)
	f("[::1]", "::1", true)
	f("[192.0.2.1]", "", false)
	f("[::1", "", false)
	f("host:443", "", false)
	f("", "", false)
	f(".", "", false)
	f("a..b", "", false)
	f(".a", "", false)
	f("a.b..", "", false)
	f("a b.com", "", false)
	f("a\x00.com", "", false)
	f("a/b.com", "", false)
	f("*.openai.com", "", false)
	f("a\xff.com", "", false)
	f("xn--\u00fc.example", "", false)
	f(strings.Repeat("a", 63)+".com", strings.Repeat("a", 63)+".com", true)
	f(strings.Repeat("a", 64)+".com", "", false)
	f(strings.Repeat("a.", 126)+"a", strings.Repeat("a.", 126)+"a", true)
	f(strings.Repeat("a.", 126)+"ab", "", false)
	f(strings.Repeat("ü", 2000), "", false)
}

func TestNormalizeHostAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { NormalizeHost("api.openai.com") }); n != 0 {
		t.Errorf("%v allocations for a name in normal form", n)
	}
}

// FuzzNormalizeHost checks that a result is in normal form and stays itself.
func FuzzNormalizeHost(f *testing.F) {
	for _, s := range []string{"api.openai.com", "API.x.", "bücher.example", "[::1]", "::1", "a..b", "xn--a", "ß.de", "a\u200db.c", "１２７.0.0.1", strings.Repeat("ü.", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, ok := NormalizeHost(in)
		if !ok {
			if host != "" {
				t.Fatalf("%q is refused and yields %q", in, host)
			}
			return
		}
		if again, ok := NormalizeHost(host); !ok || again != host {
			t.Fatalf("%q: %q becomes %q %v", in, host, again, ok)
		}
		if strings.Contains(host, ":") {
			return
		}
		if len(host) > 253 || host != strings.ToLower(host) || strings.HasSuffix(host, ".") || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
			t.Fatalf("%q: %q is not in normal form", in, host)
		}
		for _, c := range []byte(host) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("%q: %q holds byte %#x", in, host, c)
			}
		}
	})
}
