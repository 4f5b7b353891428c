package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/output"
	"github.com/gnomon-ai/gnomon/collector/internal/survey"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/catalogue"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

func newCatalogueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "catalogue",
		Short: "Count, review and check signatures",
		Long: "Count, review and check signatures: those that ship with the program, or those of a folder.\n\n" +
			"No collector needs to run.",
		Example: "  gnomon-collector catalogue stats\n  gnomon-collector catalogue check signatures/catalogue",
		Args:    cobra.NoArgs,
		RunE:    help,
	}
	c.AddCommand(newCatalogueStatsCommand(), newCatalogueReviewCommand(), newCatalogueCheckCommand())
	return c
}

// catalogueFlags are those of the commands that list.
type catalogueFlags struct{ dir, output string }

func (f *catalogueFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", "", "signatures of this folder (default those that ship)")
	c.Flags().StringVar(&f.output, "output", string(output.Table), "table, jsonl or csv")
}

func (f *catalogueFlags) read() (output.Format, []signatures.Signature, error) {
	format, err := output.ParseFormat(f.output)
	if err != nil {
		return "", nil, usageError{fmt.Errorf("--output: %w", err)}
	}
	if f.dir == "" {
		list, err := catalogue.All()
		return format, list, err
	}
	files, err := folder(f.dir)
	if err != nil {
		return "", nil, err
	}
	list, err := signatures.Load(files)
	return format, list, err
}

// folder opens a folder of signatures; one that is missing would otherwise read
// as an empty one.
func folder(dir string) (fs.FS, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("reading signatures: %w", err)
	}
	return os.DirFS(dir), nil
}

func newCatalogueStatsCommand() *cobra.Command {
	var flags catalogueFlags
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count what the catalogue holds",
		Long: "Count what the catalogue holds: signatures by kind, extensions, packages, hosts, countries; what is enabled, off and unverified apart.\n" +
			"service_sources and service_facts are over the services that are enabled.",
		Example: "  gnomon-collector catalogue stats\n  gnomon-collector catalogue stats --output jsonl",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			format, list, err := flags.read()
			if err != nil {
				return err
			}
			return output.Write(c.OutOrStdout(), format, []output.Column[survey.Row]{
				{Name: "group", Value: func(r survey.Row) any { return r.Group }},
				{Name: "name", Value: func(r survey.Row) any { return r.Name }},
				{Name: "enabled", Value: func(r survey.Row) any { return r.Enabled }},
				{Name: "off", Value: func(r survey.Row) any { return r.Off }},
				{Name: "unverified", Value: func(r survey.Row) any { return r.Unverified }},
				{Name: "value", Value: func(r survey.Row) any { return r.Value }},
			}, survey.Stats(list))
		},
	}
	flags.addFlags(c)
	return c
}

func newCatalogueReviewCommand() *cobra.Command {
	var flags catalogueFlags
	var older string
	c := &cobra.Command{
		Use:   "review",
		Short: "List what should be read again",
		Long: "List what should be read again, oldest first: sources and facts checked longer ago than --older-than,\n" +
			"pages cited without reopening them, and signatures that rest on a single source.",
		Example: "  gnomon-collector catalogue review --older-than 180d\n  gnomon-collector catalogue review --output csv",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			limit, err := strictyaml.ParseDuration(older)
			if err != nil || limit < 0 {
				return usageError{fmt.Errorf("--older-than: %q is no duration such as 180d", older)}
			}
			format, list, err := flags.read()
			if err != nil {
				return err
			}
			return output.Write(c.OutOrStdout(), format, []output.Column[survey.Item]{
				{Name: "checked", Value: func(i survey.Item) any { return i.Checked }},
				{Name: "days", Value: func(i survey.Item) any { return i.Days }},
				{Name: "reason", Value: func(i survey.Item) any { return i.Reason }},
				{Name: "signature", Value: func(i survey.Item) any { return i.Signature }},
				{Name: "what", Value: func(i survey.Item) any { return i.What }},
				{Name: "source", Max: 60, Value: func(i survey.Item) any { return i.Source }},
				{Name: "enabled", Value: func(i survey.Item) any { return i.Enabled }},
				{Name: "file", Wide: true, Value: func(i survey.Item) any { return i.File }},
				{Name: "line", Wide: true, Value: func(i survey.Item) any { return i.Line }},
			}, survey.Review(list, time.Now(), limit))
		},
	}
	flags.addFlags(c)
	c.Flags().StringVar(&older, "older-than", "180d", "list what was checked longer ago than this")
	return c
}

func newCatalogueCheckCommand() *cobra.Command {
	var overlay bool
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a folder of signatures as the tests of the catalogue do",
		Long: "Check a folder of signatures: that every file can be read, that every rule can hit and none matches too much,\n" +
			"that own examples match, and that nobody else's, no look-alike and no name of everyday programs does.\n" +
			"With --overlay the folder is an organisation's (signatures_dir of the agent), laid over the signatures that ship.",
		Example: "  gnomon-collector catalogue check signatures/catalogue\n  gnomon-collector catalogue check --overlay /etc/gnomon/signatures",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			files, err := folder(arguments[0])
			if err != nil {
				return err
			}
			list, ended, err := loadChecked(files, overlay)
			if err != nil {
				return err
			}
			for _, s := range ended {
				fmt.Fprintf(c.ErrOrStderr(), "%s:%d: the suppression of %s ended on %s and has no effect\n", s.File, s.Line, s.Signature, s.Until)
			}
			return prove(c.OutOrStdout(), list)
		},
	}
	c.Flags().BoolVar(&overlay, "overlay", false, "the folder is an organisation's own, laid over the signatures that ship")
	return c
}

// loadChecked reads a folder, for an organisation's with the catalogue that it
// is laid over and those of its suppressions that have ended.
func loadChecked(files fs.FS, overlay bool) (list []signatures.Signature, ended []signatures.Suppression, err error) {
	if !overlay {
		list, err = signatures.Load(files)
		return list, nil, err
	}
	base, err := catalogue.All()
	if err != nil {
		return nil, nil, err
	}
	own, err := signatures.LoadOverlay(files, base)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range own.Suppressions {
		if !time.Now().Before(s.Ends()) {
			ended = append(ended, s)
		}
	}
	return signatures.Merge(base, own.Signatures), ended, nil
}

// prove runs the harness over a catalogue that could be read. All problems are
// in the one error, a line each.
func prove(w io.Writer, list []signatures.Signature) error {
	if problems := sigtest.Run(list); len(problems) > 0 {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = p.String()
		}
		return fmt.Errorf("%d problems in %d signatures:\n%s", len(problems), len(list), strings.Join(lines, "\n"))
	}
	enabled := 0
	for i := range list {
		if list[i].IsEnabled() {
			enabled++
		}
	}
	_, err := fmt.Fprintf(w, "ok: %d signatures, %d of them enabled\n", len(list), enabled)
	return err
}
