package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
)

// compare runs every program over the capture, in turns, and prints medians.
func compare(ctx context.Context, o *options, capture string, m mixture) error {
	list := programs(o, capture)
	results := make([][]usage, len(list))
	for round := range o.runs {
		for i, p := range list {
			fmt.Fprintf(os.Stderr, "run %d of %d: %s\n", round+1, o.runs, p.name)
			u, err := measure(ctx, p.command, p.output)
			if err != nil {
				return fmt.Errorf("running %s: %w", p.name, err)
			}
			results[i] = append(results[i], u)
		}
	}
	names := make([]map[string]bool, len(list))
	for i, p := range list {
		if p.names == nil {
			continue
		}
		var err error
		if names[i], err = p.names(ctx); err != nil {
			return fmt.Errorf("names found by %s: %w", p.name, err)
		}
	}
	ours := median(results[0])
	fmt.Printf("%-26s %8s %8s %9s %9s %9s %8s %8s  %s\n", "program", "wall s", "CPU s", "MB/CPU s", "Mpps/CPU", "RSS MiB", "names", "we lack", "bytes per CPU second, ours : theirs")
	for i, p := range list {
		u := median(results[i])
		cpu := u.cpu.Seconds()
		found, lack := "-", "-"
		if names[i] != nil {
			found = fmt.Sprint(len(names[i]))
			lack = fmt.Sprint(len(missing(names[i], names[0])))
		}
		fmt.Printf("%-26s %8.2f %8.2f %9.0f %9.2f %9.1f %8s %8s  %.2f\n", p.name, u.wall.Seconds(), cpu,
			float64(m.Bytes)/cpu/1e6, float64(m.Packets)/cpu/1e6, float64(u.peak)/(1<<20), found, lack, cpu/ours.cpu.Seconds())
	}
	for i, p := range list {
		if i > 0 && names[i] != nil {
			lack := missing(names[i], names[0])
			fmt.Printf("names of %s that we lack: %q\n", p.name, lack[:min(len(lack), 40)])
		}
	}
	fmt.Println()
	return nil
}

// missing lists what is in a and not in b.
func missing(a, b map[string]bool) []string {
	var list []string
	for name := range a {
		if !b[name] {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// median is that of each figure by itself.
func median(list []usage) usage {
	return usage{
		wall: middle(list, func(u usage) int64 { return int64(u.wall) }).wall,
		cpu:  middle(list, func(u usage) int64 { return int64(u.cpu) }).cpu,
		peak: middle(list, func(u usage) int64 { return u.peak }).peak,
	}
}

func middle(list []usage, by func(usage) int64) usage {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b usage) int { return cmp.Compare(by(a), by(b)) })
	return sorted[len(sorted)/2]
}
