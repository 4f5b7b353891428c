package tls

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"testing"

	"github.com/google/go-cmp/cmp"

	wire "github.com/gnomon-ai/gnomon/agent/internal/decode/wiretest"
)

// A real client that was given a configuration sends its public name and its
// number, and not the name that it connects to.
func TestECHOfARealClient(t *testing.T) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	list := wire.ECHConfigList(wire.ECHConfig(77, key.PublicKey().Bytes(), "outer.example"))
	one, err := wire.ClientHello(&tls.Config{ServerName: "secret.example", MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: list})
	if err != nil {
		t.Fatal(err)
	}
	var h ClientHello
	if !Parse(wire.HelloBody(one), false, true, &h) || bytes.Contains(one, []byte("secret")) {
		t.Fatal("not read, or not encrypted")
	}
	if diff := cmp.Diff(ECH{Present: true, Sound: true, ConfigID: 77}, h.ECH); diff != "" || string(h.ServerName) != "outer.example" {
		t.Errorf("%q %s", h.ServerName, diff)
	}
}

func TestECHForms(t *testing.T) {
	f := func(what string, data []byte, want ECH) {
		t.Helper()
		var h ClientHello
		if !Parse(hello(extension(extensionECH, data)), false, true, &h) {
			t.Fatalf("%s: not read", what)
		}
		if diff := cmp.Diff(want, h.ECH); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	outer := wire.ECHExtension(9, 32, 144)[4:]
	f("outer", outer, ECH{Present: true, Sound: true, ConfigID: 9})
	f("outer behind a HelloRetryRequest", wire.ECHExtension(9, 0, 144)[4:], ECH{Present: true, Sound: true, ConfigID: 9})
	f("inner", []byte{1}, ECH{Present: true, Inner: true})
	f("inner with more", []byte{1, 0}, ECH{Present: true})
	f("another kind", []byte{2}, ECH{Present: true})
	f("empty", nil, ECH{Present: true})
	f("cut", outer[:20], ECH{Present: true})
	f("no payload", wire.ECHExtension(9, 32, 0)[4:], ECH{Present: true})
	f("more behind it", append(bytes.Clone(outer), 0), ECH{Present: true})
}

func TestECHConfigLists(t *testing.T) {
	one, two := wire.ECHConfig(1, make([]byte, 32), "one.example"), wire.ECHConfig(200, make([]byte, 65), "two.example")
	unknown := wire.Join(wire.U16(0xfe0a), wire.U16(3), []byte{1, 2, 3})
	read := func(list []byte) (got []ECHConfig, sound bool) {
		entries, ok := ECHConfigs(list)
		if !ok {
			return nil, false
		}
		for {
			var c ECHConfig
			if entries, ok = NextECHConfig(entries, &c); !ok {
				return got, true
			}
			got = append(got, c)
		}
	}
	wants := []ECHConfig{{1, []byte("one.example")}, {200, []byte("two.example")}}
	got, ok := read(wire.ECHConfigList(one, unknown, two))
	if diff := cmp.Diff(wants, got); diff != "" || !ok {
		t.Error(diff)
	}
	whole := wire.ECHConfigList(one)
	if _, ok := read(whole[:len(whole)-1]); ok {
		t.Error("a list that is cut is taken")
	}
	for name, bad := range map[string][]byte{
		"no name":     wire.ECHConfig(1, make([]byte, 32), ""),
		"cut entry":   one[:len(one)-3],
		"more behind": wire.Join(wire.U16(extensionECH), wire.U16(len(one)-3), one[4:], []byte{0}),
	} {
		if got, _ := read(wire.ECHConfigList(bad)); len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
