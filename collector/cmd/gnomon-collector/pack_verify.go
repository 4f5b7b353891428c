package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/collector/internal/output"
	"github.com/gnomon-ai/gnomon/signatures"
	"github.com/gnomon-ai/gnomon/signatures/pack"
)

func newPackVerifyCommand() *cobra.Command {
	var keys []string
	var statePath, agentVersion string
	var allowed uint64
	c := &cobra.Command{
		Use:   "verify --key KEY PACK",
		Short: "Say whether an agent would take a pack",
		Long: "Say whether an agent would take a pack: its form, its signature, its age beside what was accepted before,\n" +
			"and its own tests. With --state the highest version is kept there, as an agent keeps it.\n\n" +
			"Exit codes: 0 it would, 1 it would not, 3 it would and the pack has expired.",
		Example: "  gnomon-collector pack verify signatures.pack --key key.pub --state accepted.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			if len(keys) == 0 || len(keys) > pack.MaxKeys {
				return usageError{fmt.Errorf("--key is needed once or, while keys change, twice")}
			}
			policy := pack.Policy{AgentVersion: agentVersion, AllowVersion: allowed}
			var err error
			if policy.Keys, err = readKeys(keys); err != nil {
				return usageError{err}
			}
			if statePath != "" {
				if policy.State, err = pack.LoadState(statePath); err != nil {
					return err
				}
			}
			data, err := pack.ReadFile(arguments[0])
			if err != nil {
				return err
			}
			now := time.Now()
			accepted, err := pack.Accept(data, policy, now)
			if err != nil {
				return fmt.Errorf("%s: %w", arguments[0], err)
			}
			if statePath != "" {
				if err := accepted.State.Save(statePath); err != nil {
					return err
				}
			}
			if err := describePack(c, accepted.Pack, len(data)); err != nil {
				return err
			}
			if since, stale := accepted.Pack.Manifest.Stale(now); stale {
				if _, err := fmt.Fprintf(c.OutOrStdout(), "stale       it expired %d days ago: fetch a newer one\n", int(since.Hours()/24)); err != nil {
					return err
				}
				return errAttention
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&keys, "key", nil, "public key in base64, or a file that holds it; may be given twice")
	f.StringVar(&statePath, "state", "", "file that keeps the highest version accepted")
	f.StringVar(&agentVersion, "agent-version", "", "version of the agents, e.g. 0.4.0 (default: any)")
	f.Uint64Var(&allowed, "allow-version", 0, "take this version although a higher one was accepted before")
	return c
}

func newPackDiffCommand() *cobra.Command {
	var format string
	columns := []output.Column[pack.Change]{
		{Name: "change", Value: func(c pack.Change) any { return c.Kind }},
		{Name: "signature", Value: func(c pack.Change) any { return c.Signature }},
		{Name: "what", Value: func(c pack.Change) any { return c.What }},
	}
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say which signatures were added, removed and changed between two packs",
		Long: "Say which signatures were added, removed and changed between two packs, in words. In the place of a pack,\n" +
			"\"embedded\" are the program's own signatures. Signatures of packs are not verified here.",
		Example: "  gnomon-collector pack diff embedded signatures.pack --output jsonl",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, arguments []string) error {
			parsed, err := output.ParseFormat(format)
			if err != nil {
				return usageError{fmt.Errorf("--output: %w", err)}
			}
			var lists [2][]signatures.Signature
			for i, name := range arguments {
				if lists[i], err = listOf(name); err != nil {
					return err
				}
			}
			changes, err := pack.Diff(lists[0], lists[1])
			if err != nil {
				return err
			}
			if parsed == output.Table {
				return printChanges(c, changes)
			}
			return output.Write(c.OutOrStdout(), parsed, columns, changes)
		},
	}
	c.Flags().StringVar(&format, "output", string(output.Table), "table, jsonl or csv")
	return c
}

// listOf reads all signatures of a pack, or the program's own.
func listOf(name string) ([]signatures.Signature, error) {
	if name == embedded {
		return packSource(embedded)
	}
	data, err := pack.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := pack.Open(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	list, err := p.All()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// printChanges writes a line for each thing that changed: a table would cut them.
func printChanges(c *cobra.Command, changes []pack.Change) error {
	counts := map[string]int{}
	var text strings.Builder
	for _, change := range changes {
		counts[change.Kind]++
		if change.Kind != pack.Changed {
			fmt.Fprintf(&text, "%-8s %s (%s)\n", change.Kind, change.Signature, printable(strings.Join(change.What, ", ")))
			continue
		}
		fmt.Fprintf(&text, "%-8s %s\n", change.Kind, change.Signature)
		for _, what := range change.What {
			fmt.Fprintf(&text, "         %s\n", printable(what))
		}
	}
	fmt.Fprintf(&text, "%d added, %d removed, %d changed\n", counts[pack.Added], counts[pack.Removed], counts[pack.Changed])
	_, err := fmt.Fprint(c.OutOrStdout(), text.String())
	return err
}

// printable keeps control characters of a pack that nobody verified off the
// terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
