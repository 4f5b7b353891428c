package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release build (-ldflags "-X main.version=1.2.3").
var version = "0.0.0-dev"

// userAgent is how the agent names itself to a collector.
func userAgent() string { return "gnomon-agent/" + version }

// commit is the revision that the binary was built from, "unknown" outside a
// checkout, with "+changes" where the checkout was changed.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, changed := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	return revision + changed
}

func versionCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print version, commit, Go version and catalogue",
		Example: "  gnomon-agent version --output jsonl",
		Args:    cobra.NoArgs,
	}
	output := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		set, err := loadCatalogue("")
		if err != nil {
			return err
		}
		if asJSON {
			return newJSONLines(s.out).write(struct {
				Version    string `json:"version"`
				Commit     string `json:"commit"`
				Go         string `json:"go"`
				Platform   string `json:"platform"`
				Catalogue  string `json:"catalogue"`
				Signatures int    `json:"signatures"`
			}{version, commit(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, set.Version(), len(set.Signatures())})
		}
		_, err = fmt.Fprintf(s.out, "gnomon-agent %s\ncommit     %s\ngo         %s %s/%s\ncatalogue  %s, %d signatures\n",
			version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, set.Version(), len(set.Signatures()))
		return err
	}
	return c
}
