package main

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gnomon-ai/gnomon/agent/internal/pipeline"
	"github.com/gnomon-ai/gnomon/proto/finding"
	"github.com/gnomon-ai/gnomon/signatures"
)

func matchCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use: "match NAME|URL|PATH…", Short: "Show what would match, and why",
		Long: `match asks the catalogue alone: a host name, a URL, a path, a program or a model format is tried as
everything it can stand for. Nothing is opened or contacted.

Exit codes: 0 something matches, 3 nothing does, 1 error.`,
		Example: "  gnomon-agent match api.openai.com https://host.example/v1/chat/completions\n  gnomon-agent match ollama ~/.ollama/models",
		Args:    cobra.MinimumNArgs(1),
	}
	output := outputFlag(c)
	overlay := c.Flags().String("signatures-dir", "", "further catalogue files, *.yaml")
	c.RunE = func(_ *cobra.Command, inputs []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		set, err := loadCatalogue(*overlay)
		if err != nil {
			return err
		}
		var lines []matchLine
		for _, input := range inputs {
			found, err := matchOne(set, input)
			if err != nil {
				return fmt.Errorf("matching: %w", err)
			}
			lines = append(lines, found...)
		}
		if err := printMatches(s, lines, asJSON); err != nil {
			return err
		}
		if len(lines) == 0 {
			return &incomplete{"nothing in the catalogue matches " + strings.Join(inputs, ", ")}
		}
		return nil
	}
	return c
}

// matchOne tries input as everything it can stand for; what matches more than
// once is listed for the first.
func matchOne(set *signatures.Set, input string) ([]matchLine, error) {
	examples, err := signatures.ParseExample(input)
	if err != nil {
		return nil, err
	}
	p, err := pipeline.New(pipeline.DefaultConfig(), pipeline.Deps{
		Set: set, Log: slog.New(slog.DiscardHandler),
		Agent: pipeline.Agent{OS: runtime.GOOS}, Sink: func(l []finding.Finding) (int, error) { return len(l), nil },
	})
	if err != nil {
		return nil, err
	}
	var lines []matchLine
	for _, example := range examples {
		o, err := signatures.ObservationFor(example)
		if err != nil {
			continue // this reading of the input makes no sense; the others may
		}
		for _, f := range p.Find(o) {
			if f.Asset.SignatureID == "" || slices.ContainsFunc(lines, func(l matchLine) bool { return l.Asset.Signature == f.Asset.SignatureID }) {
				continue
			}
			line := matchLine{Input: input, As: string(o.Kind), Asset: newAssetLine(&f.Asset), Confidence: f.Confidence, Evidence: newEvidenceLines(f.Evidence)}
			if o.Kind == signatures.KindModelFile { // here the format is what was asked for
				line.Asset.Key, line.Asset.Name = f.Asset.SignatureID, nameOf(set, f.Asset.SignatureID)
			}
			lines = append(lines, line)
		}
	}
	return append(lines, matchFamily(set, input)...), nil
}

// matchFamily tries input as the name of a model.
func matchFamily(set *signatures.Set, input string) []matchLine {
	sig, selector := set.Family(input)
	if sig == nil {
		return nil
	}
	return []matchLine{{
		Input: input, As: "model", Confidence: sig.Confidence,
		Asset: newAssetLine(&finding.Asset{
			Key: sig.ID, Kind: string(sig.Kind), Name: sig.Name, SignatureID: sig.ID, Provider: sig.Provider.ID, Country: sig.Provider.Country,
			Categories: sig.Categories, Status: sig.Status,
		}),
		Evidence: newEvidenceLines([]finding.Evidence{{Kind: string(signatures.EvidenceGenAIModel), Value: input, Selector: selector}}),
	}}
}

func nameOf(set *signatures.Set, id string) string {
	for _, s := range set.Signatures() {
		if s.ID == id {
			return s.Name
		}
	}
	return id
}

func printMatches(s streams, lines []matchLine, asJSON bool) error {
	if asJSON {
		out := newJSONLines(s.out)
		for _, l := range lines {
			if err := out.write(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) == 0 {
		return nil
	}
	t := newTable(s.out, "INPUT", "AS", "SIGNATURE", "NAME", "PROVIDER", "ROLE", "CONFIDENCE", "EVIDENCE", "RULE")
	for _, l := range lines {
		for i, e := range l.Evidence {
			row := []string{"", "", "", "", "", "", "", e.Kind + "=" + e.Value, e.Selector}
			if i == 0 {
				copy(row, []string{l.Input, l.As, l.Asset.Signature, l.Asset.Name, l.Asset.Provider, l.Asset.Role, fmt.Sprint(l.Confidence)})
			}
			t.row(row...)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
