// Command benign asks the built agent about more than 100,000 names that are no
// AI, and about the prefixes of package benign below each of them, and tells
// every hit that is no reviewed exception.
//
//	benign --agent bin/gnomon-agent [--firefox FOLDER] [--requests ZIP] [--names FILE]... [--keep FILE]
//
// --names adds a list of one's own, for one a ranked one: a name a line, or
// "rank,name". Exit codes: 0 no hit, 1 error, 3 hits, or fewer than 100,000 names.
//
// It imports the integration packages and the names of sigtest, and talks to the
// agent by its command, as a user would.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/gnomon-ai/gnomon/integration/benign"
	"github.com/gnomon-ai/gnomon/signatures/sigtest"
)

const (
	wanted    = 100_000
	exitError = 1
	exitHits  = 3
)

var (
	errHits = errors.New("the catalogue matches names that no reviewed exception covers: narrow the rules, or add the names to integration/benign/exceptions.txt with a reason")
	errFew  = fmt.Errorf("fewer than %d names are left", wanted)
)

type options struct {
	agent, firefox, keep, requests string
	lists                          []string
}

func main() {
	var o options
	flag.StringVar(&o.agent, "agent", "bin/gnomon-agent", "the built agent")
	flag.StringVar(&o.firefox, "firefox", "", "the folder of Firefox's library, where it is in none of the usual places")
	flag.StringVar(&o.keep, "keep", "", "write the list of names to this file")
	flag.StringVar(&o.requests, "requests", "", "a recording of the requests of popular pages: a zip archive of JSON")
	flag.Func("names", "a further list of names; may be repeated", func(name string) error {
		o.lists = append(o.lists, name)
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, o, os.Stdout)
	switch {
	case errors.Is(err, errHits), errors.Is(err, errFew):
		fmt.Fprintln(os.Stderr, "benign:", err)
		os.Exit(exitHits)
	case err != nil:
		fmt.Fprintln(os.Stderr, "benign:", err)
		os.Exit(exitError)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	list, err := sources(o)
	if err != nil {
		return err
	}
	names, counts := benign.Merge(list)
	if o.keep != "" {
		if err := os.WriteFile(o.keep, []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			return fmt.Errorf("keeping the list: %w", err)
		}
	}
	exceptions, err := benign.Exceptions()
	if err != nil {
		return fmt.Errorf("reading exceptions: %w", err)
	}
	hits, err := benign.Ask(ctx, o.agent, names, benign.Prefixes())
	if err != nil {
		return fmt.Errorf("matching: %w", err)
	}
	v := benign.Judge(hits, exceptions)
	left := benign.Left(names, exceptions)
	if err := report(out, counts, len(names), left, v); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	switch {
	case len(v.Unexcused) > 0:
		return errHits
	case left < wanted:
		return errFew
	}
	return nil
}

// sources gathers the names, the popular ones first.
func sources(o options) ([]benign.Source, error) {
	list := []benign.Source{{Name: "signatures/sigtest/benign.txt", Version: "of this tree", Licence: "of this tree", Names: sigtest.BenignNames()}}
	if o.requests != "" {
		names, err := benign.ReadRequests(o.requests)
		if err != nil {
			return nil, err
		}
		list = append(list, fromFile("hosts that popular pages ask", o.requests, names))
	}
	for _, name := range o.lists {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("opening a list: %w", err)
		}
		names, err := benign.ReadNames(f)
		f.Close() // only read
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, fromFile(filepath.Base(name), name, names))
	}
	folders := benign.Folders()
	if o.firefox != "" {
		folders = []string{o.firefox}
	}
	firefox, err := benign.Firefox(folders...)
	if err != nil {
		return nil, err
	}
	return append(list, firefox), nil
}

// fromFile describes the names of a file by its folders, where the package and
// its version stand.
func fromFile(called, path string, names []string) benign.Source {
	version := "as given"
	for folder := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if strings.Contains(folder, "@v") {
			version = folder
		}
	}
	return benign.Source{Name: called, Version: version, Licence: "its own", Names: names}
}

func report(out io.Writer, counts []benign.Count, names, left int, v benign.Verdict) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tVERSION\tLICENCE\tREAD\tNO HOST\tNEW")
	for _, c := range counts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\n", c.Name, c.Version, c.Licence, c.Read, c.Refused, c.New)
	}
	for _, h := range v.Unexcused {
		fmt.Fprintf(t, "HIT\t%s\t%s\t%s\n", h.Name, h.Signature, h.Rule)
	}
	for _, e := range v.Unused {
		fmt.Fprintf(t, "exception without use\t%s\t%s\n", e.Name, e.Reason)
	}
	fmt.Fprintf(t, "\nnames\t%d\n", names)
	fmt.Fprintf(t, "benign names (no exception, no word of AI)\t%d\n", left)
	fmt.Fprintf(t, "asked, with the prefixes www. api. mail. cdn.\t%d\n", names*len(benign.Prefixes()))
	fmt.Fprintf(t, "hits by reviewed exceptions\t%d\n", len(v.Excused))
	fmt.Fprintf(t, "hits\t%d\n", len(v.Unexcused))
	return t.Flush()
}
