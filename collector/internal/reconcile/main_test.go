package reconcile

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// defaultChecks is how many inventories each property sees unless -rapid.checks
// says otherwise: enough for the generators' quality to be asserted.
const defaultChecks = "1500"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		if err := flag.Set("rapid.checks", defaultChecks); err != nil {
			fmt.Fprintln(os.Stderr, "setting rapid.checks:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
