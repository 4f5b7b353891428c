package listen

import (
	"strings"
	"testing"
)

func TestOnlyLoopbackGoesWithoutTLS(t *testing.T) {
	f := func(address string, tls bool, want string) {
		t.Helper()
		err := ValidateAddress(address, tls)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s (TLS %v): got %v, want %q", address, tls, err, want)
		}
	}
	f("127.0.0.1:4317", false, "")
	f("127.9.9.9:1", false, "")
	f("[::1]:4318", false, "")
	f("localhost:4317", false, "")
	f("0.0.0.0:4317", false, "reachable from other machines")
	f("[::]:4317", false, "reachable from other machines")
	f(":4318", false, "reachable from other machines")
	f("collector.example:4318", false, "reachable from other machines")
	f("localhost.example:4318", false, "reachable from other machines")
	f(":4318", true, "")
	f("4318", true, "no host:port")
}

func TestTLSNeedsBothFiles(t *testing.T) {
	if err := (TLS{KeyFile: "k"}).Validate(); err == nil {
		t.Error("a key without certificate passed")
	}
	if err := (TLS{}).Validate(); err != nil {
		t.Error(err)
	}
	if _, err := (TLS{CertificateFile: "no-such-file", KeyFile: "no-such-file"}).Load(); err == nil || !strings.Contains(err.Error(), "no-such-file") {
		t.Errorf("got %v", err)
	}
}

func TestPortInUseSaysWhatToDo(t *testing.T) {
	first, err := Listen("api.listen", "127.0.0.1:0", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Listen("api.listen", first.Addr().String(), 1); err == nil || !strings.Contains(err.Error(), "choose another port in api.listen") {
		t.Errorf("got %v", err)
	}
}
