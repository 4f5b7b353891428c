package finding

import (
	"testing"
	"time"
)

func sample() Finding {
	return Finding{
		AgentID: "a1", User: "ana", ProcessPath: "/usr/bin/node", PeerName: "api.openai.com", PeerAddress: "192.0.2.1",
		Asset:    Asset{Key: "openai.api", SignatureID: "openai.api"},
		Evidence: []Evidence{{Kind: "tls.sni", Value: "api.openai.com"}, {Kind: "process.exe", Value: "/usr/bin/node"}},
	}
}

// The values are pinned: a change of the hash would make every stored finding
// another one.
func TestIdentityIsStable(t *testing.T) {
	f := sample()
	fingerprint := ComputeFingerprint(&f)
	if want := "28229db0d1840c20658b5f9d4b63985b"; fingerprint != want {
		t.Errorf("fingerprint %s, want %s", fingerprint, want)
	}
	id := ComputeID("a1", fingerprint, time.Unix(1_700_000_000, 999).UTC())
	if want := "29359e913a54a53a5feadb32dfbfee4b"; id != want {
		t.Errorf("id %s, want %s", id, want)
	}
	if again := ComputeID("a1", fingerprint, time.Unix(1_700_000_000, 0)); again != id {
		t.Errorf("id %s, want %s: parts of a second do not count", again, id)
	}
}

func TestFingerprintTellsUsesApart(t *testing.T) {
	base := sample()
	same := func(change func(*Finding)) {
		t.Helper()
		f := sample()
		change(&f)
		if ComputeFingerprint(&f) != ComputeFingerprint(&base) {
			t.Error("a change that is no other use changed the fingerprint")
		}
	}
	other := func(change func(*Finding)) {
		t.Helper()
		f := sample()
		change(&f)
		if ComputeFingerprint(&f) == ComputeFingerprint(&base) {
			t.Error("another use has the same fingerprint")
		}
	}
	same(func(f *Finding) { f.Count = 9 })
	same(func(f *Finding) { f.PeerAddress = "192.0.2.2" })
	same(func(f *Finding) { f.Revision = 3 })
	other(func(f *Finding) { f.User = "leo" })
	other(func(f *Finding) { f.ProcessPath = "/usr/bin/python3" })
	other(func(f *Finding) { f.PeerName = "chatgpt.com" })
	other(func(f *Finding) { f.PeerName = "" })
	other(func(f *Finding) { f.Asset.Key = "openai.chatgpt" })
	other(func(f *Finding) { f.Evidence[0].Kind = "dns.name" })
	other(func(f *Finding) { f.ClientAddress = "192.0.2.9" })
	other(func(f *Finding) { f.Model.Path = "/m.gguf" })
	// Lengths are part of the hash: moving a byte between fields is no collision.
	other(func(f *Finding) { f.User, f.ProcessPath = "ana/usr", "/bin/node" })
}

// What applications say tells hosts, services, pods and models of one sender
// apart; what other sensors see is not affected by these fields.
func TestFingerprintOfApplications(t *testing.T) {
	base := sample()
	base.Sensor = SensorApplication
	fingerprints := map[string]string{ComputeFingerprint(&base): "base"}
	for name, change := range map[string]func(*Finding){
		"host":      func(f *Finding) { f.HostName = "web-2" },
		"service":   func(f *Finding) { f.Attributes = map[string]string{"service.name": "shop"} },
		"namespace": func(f *Finding) { f.Attributes = map[string]string{"service.namespace": "shop"} },
		"pod":       func(f *Finding) { f.Attributes = map[string]string{"k8s.pod.name": "shop"} },
		"container": func(f *Finding) { f.Container = "c1" },
		"model":     func(f *Finding) { f.Model.Name = "gpt-4o" },
	} {
		f := base
		change(&f)
		fingerprint := ComputeFingerprint(&f)
		if other, taken := fingerprints[fingerprint]; taken {
			t.Errorf("another %s has the fingerprint of %s", name, other)
		}
		fingerprints[fingerprint] = name
		seen, before := sample(), sample()
		change(&seen)
		if ComputeFingerprint(&seen) != ComputeFingerprint(&before) {
			t.Errorf("another %s changed the fingerprint of what the network sensor saw", name)
		}
	}
	operation := base
	operation.Attributes = map[string]string{"gen_ai.operation.name": "chat"}
	if ComputeFingerprint(&operation) != ComputeFingerprint(&base) {
		t.Error("another operation is another use")
	}
}
