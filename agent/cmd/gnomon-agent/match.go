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
		Use: "match [NAME|URL|PATH…] [--file NAMES]", Short: "Show what would match, and why",
		Long: `match asks the catalogue alone: a host name, a URL, a path, a program or a model format is tried as
everything it can stand for. Nothing is opened or contacted but the list of --file.

--file reads one input a line, "-" from standard input ("match -" is the same). Empty lines and lines that
begin with "#" are skipped. Matches are written as they come, a summary goes to standard error. A line that
cannot be read is told with its number, counted, and does not end the run.

Exit codes: 0 something matches, 3 nothing does, 1 error (a list that cannot be read, an input that makes no sense).`,
		Example: "  gnomon-agent match api.openai.com https://host.example/v1/chat/completions\n  gnomon-agent match ollama ~/.ollama/models\n  gnomon-agent match --output jsonl - < names.txt",
		Args: func(c *cobra.Command, inputs []string) error {
			if c.Flags().Changed("file") {
				return cobra.NoArgs(c, inputs)
			}
			return cobra.MinimumNArgs(1)(c, inputs)
		},
	}
	output := outputFlag(c)
	overlay := c.Flags().String("signatures-dir", "", "further catalogue files, *.yaml")
	file := c.Flags().String("file", "", `a list of inputs, one a line; "-" is standard input`)
	c.RunE = func(_ *cobra.Command, inputs []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		set, err := loadCatalogue(*overlay)
		if err != nil {
			return err
		}
		m, err := newMatcher(set)
		if err != nil {
			return fmt.Errorf("matching: %w", err)
		}
		p := newMatchPrinter(s.out, asJSON)
		switch {
		case c.Flags().Changed("file"):
			return matchFile(s, m, p, *file)
		case slices.Equal(inputs, []string{"-"}):
			return matchFile(s, m, p, "-")
		default:
			return matchInputs(m, p, inputs)
		}
	}
	return c
}

// matchInputs tries the inputs of a command line; all must make sense.
func matchInputs(m *matcher, p *matchPrinter, inputs []string) error {
	var lines []matchLine
	for _, input := range inputs {
		found, err := m.match(input)
		if err != nil {
			return fmt.Errorf("matching: %w", err)
		}
		lines = append(lines, found...)
	}
	if err := p.print(lines); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	if len(lines) == 0 {
		return &incomplete{"nothing in the catalogue matches " + strings.Join(inputs, ", ")}
	}
	return nil
}

// matcher tries inputs on the catalogue, as the agent would.
type matcher struct {
	set  *signatures.Set
	line *pipeline.Pipeline
}

func newMatcher(set *signatures.Set) (*matcher, error) {
	line, err := pipeline.New(pipeline.DefaultConfig(), pipeline.Deps{
		Set: set, Log: slog.New(slog.DiscardHandler),
		Agent: pipeline.Agent{OS: runtime.GOOS}, Sink: func(l []finding.Finding) (int, error) { return len(l), nil },
	})
	if err != nil {
		return nil, err
	}
	return &matcher{set: set, line: line}, nil
}

// match tries input as everything it can stand for; what matches more than once
// is listed for the first.
func (m *matcher) match(input string) ([]matchLine, error) {
	examples, err := signatures.ParseExample(input)
	if err != nil {
		return nil, err
	}
	var lines []matchLine
	for _, example := range examples {
		o, err := signatures.ObservationFor(example)
		if err != nil {
			continue // this reading of the input makes no sense; the others may
		}
		for _, f := range m.line.Find(o) {
			if f.Asset.SignatureID == "" || slices.ContainsFunc(lines, func(l matchLine) bool { return l.Asset.Signature == f.Asset.SignatureID }) {
				continue
			}
			line := matchLine{Input: input, As: string(o.Kind), Asset: newAssetLine(&f.Asset), Confidence: f.Confidence, Evidence: newEvidenceLines(f.Evidence)}
			if o.Kind == signatures.KindModelFile { // here the format is what was asked for
				line.Asset.Key, line.Asset.Name = f.Asset.SignatureID, nameOf(m.set, f.Asset.SignatureID)
			}
			lines = append(lines, line)
		}
	}
	return append(lines, matchFamily(m.set, input)...), nil
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
	if s, known := set.Lookup(id); known {
		return s.Name
	}
	return id
}
