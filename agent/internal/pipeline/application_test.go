package pipeline

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gnomon-ai/gnomon/proto/genai"
	"github.com/gnomon-ai/gnomon/signatures"
)

// said is what an application says, over a connection from an address.
func said(b *bench, provider, model, server, from string, count uint64) signatures.Observation {
	use := genai.Use{Count: count, Application: signatures.Application{Provider: provider, AskedModel: model, Server: server, Service: "shop", Host: "container-7"}}
	o := use.Observation()
	o.Time = b.clock.clock().wall()
	if from != "" {
		o.Flow = signatures.Flow{Protocol: "tcp", Client: netip.MustParseAddrPort(from), Server: netip.MustParseAddrPort("127.0.0.1:4318")}
	}
	return o
}

func TestApplicationsAreFoldedAndAttributed(t *testing.T) {
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Owner = func(f signatures.Flow) (signatures.Process, string) {
			if f.Client.Addr().IsLoopback() {
				return signatures.Process{Name: "python3", Executable: "/usr/bin/python3", User: "ana"}, ""
			}
			return signatures.Process{}, "not_local"
		}
	})
	b.Emit(said(b, "acme", "m-1", "api.acme.example", "127.0.0.1:50000", 400))
	b.Emit(said(b, "acme", "m-1", "api.acme.example", "127.0.0.1:50000", 100))
	b.Emit(said(b, "acme", "m-2", "api.acme.example", "127.0.0.1:50000", 1)) // another model is another use
	b.Emit(said(b, "in-house", "m-3", "", "192.0.2.9:50000", 0))             // no count is one
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	type row struct {
		Asset, Model, User, Process, Client, Unknown, Host, Said string
		Count                                                    uint64
		Confidence                                               uint8
	}
	got := map[string]row{}
	for _, f := range b.sink.all() {
		got[f.Model.Name] = row{f.Asset.Key[:min(len(f.Asset.Key), 8)], f.Model.Name, f.User, f.ProcessName, f.ClientAddress, f.OwnerUnknown, f.HostName, f.Attributes["host.name"], f.Count, f.Confidence}
	}
	want := map[string]row{
		"m-1": {"acme.api", "m-1", "ana", "python3", "", "", "host", "container-7", 500, 90},
		"m-2": {"acme.api", "m-2", "ana", "python3", "", "", "host", "container-7", 1, 90},
		"m-3": {"unknown:", "m-3", "", "shop", "192.0.2.9", "not_local", "host", "container-7", 1, 60},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.counter(t, map[string]uint64{"observations_application": 4, "matches": 4, "unmatched": 0, "unknown_applications": 1, "owner_known": 3, "owner_not_local": 1, "findings": 3})
}

func TestApplicationWithoutConnectionHasNoOwner(t *testing.T) {
	b := newBench(t, nil)
	b.Emit(said(b, "acme", "m", "api.acme.example", "", 1))
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if f := b.sink.all(); len(f) != 1 || f[0].OwnerUnknown != "" || f[0].ProcessName != "shop" || f[0].Sensor != "application" {
		t.Errorf("%+v", f)
	}
}
