package benign

import (
	"archive/zip"
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures"
)

const maxRequests = 256 << 20 // of a file of a recording

// Prefixes are the names that are tried below every name of the list.
func Prefixes() []string { return []string{"", "www.", "api.", "mail.", "cdn."} }

// Source is where names come from.
type Source struct {
	Name    string
	Version string
	Licence string
	Names   []string
}

// Count says what a source brought.
type Count struct {
	Source
	Read    int // names as the source gives them
	Refused int // no host names: addresses, single labels, over-long names
	New     int // names that no source before it had
}

// Merge normalises the names of the sources and returns each once, in the order
// of the sources.
func Merge(sources []Source) (names []string, counts []Count) {
	seen := map[string]bool{}
	for _, source := range sources {
		count := Count{Source: source, Read: len(source.Names)}
		for _, name := range source.Names {
			host, ok := signatures.NormalizeHost(name)
			if _, err := netip.ParseAddr(host); !ok || err == nil || !strings.Contains(host, ".") {
				count.Refused++
				continue
			}
			if !seen[host] {
				seen[host] = true
				names = append(names, host)
				count.New++
			}
		}
		counts = append(counts, count)
	}
	return names, counts
}

// ReadNames reads a list of names: one a line, the last of its fields, so that
// "name", "rank,name" and the lines of a hosts file can all be read. "#" begins a
// comment. A line has at most 64 KiB.
func ReadNames(r io.Reader) ([]string, error) {
	var names []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == '\r' })
		if len(fields) > 0 {
			names = append(names, fields[len(fields)-1])
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	return names, nil
}

// ReadRequests lists the hosts of a recording of requests that pages made, a zip
// archive of JSON with their URLs, at most 256 MiB of each file.
func ReadRequests(name string) ([]string, error) {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	defer archive.Close()
	var names []string
	seen := map[string]bool{}
	url := regexp.MustCompile(`https?://([^/":?]+)`)
	for _, file := range archive.File {
		r, err := file.Open()
		if err != nil {
			return nil, fmt.Errorf("reading requests: %w", err)
		}
		text, err := io.ReadAll(io.LimitReader(r, maxRequests))
		r.Close() // only read
		if err != nil {
			return nil, fmt.Errorf("reading requests: %w", err)
		}
		for _, m := range url.FindAllSubmatch(text, -1) {
			if host := string(m[1]); !seen[host] {
				seen[host] = true
				names = append(names, host)
			}
		}
	}
	return names, nil
}

// LooksLikeAI says whether a name announces AI by itself: by the top-level domain
// .ai or a word. Of such names nobody may say unseen that they are benign.
func LooksLikeAI(name string) bool {
	if strings.HasSuffix(name, ".ai") {
		return true
	}
	for _, part := range []string{"gpt", "chatbot", "openai", "-ai.", "-ai-", "llm", "copilot", "claude", "gemini", "diffusion", "deepfake", "neural", "aitools", "aichat", "artificial"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasPrefix(name, "ai.") || strings.HasPrefix(name, "ai-") || strings.Contains(name, ".ai.")
}

//go:embed exceptions.txt
var exceptionsText string

// Exception is a name of the list that is an AI service.
type Exception struct {
	Name     string
	Provider string // whose signatures may match it and its Prefixes
	Reason   string
}

// Exceptions returns the reviewed exceptions.
func Exceptions() ([]Exception, error) { return parseExceptions(exceptionsText) }

// parseExceptions reads lines of a name, a provider and a reason.
func parseExceptions(text string) ([]Exception, error) {
	var list []Exception
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("exceptions.txt:%d: want a name, a provider and a reason of two words or more", n+1)
		}
		if name, ok := signatures.NormalizeHost(fields[0]); !ok || name != fields[0] {
			return nil, fmt.Errorf("exceptions.txt:%d: %q is no host name in normal form", n+1, fields[0])
		}
		if slices.ContainsFunc(list, func(e Exception) bool { return e.Name == fields[0] }) {
			return nil, fmt.Errorf("exceptions.txt:%d: %s is given twice", n+1, fields[0])
		}
		list = append(list, Exception{fields[0], fields[1], strings.Join(fields[2:], " ")})
	}
	return list, nil
}

// Hit is a name of the list, or a prefix and one, that the catalogue matches.
type Hit struct{ Name, Signature, Rule string }

// Verdict is what Judge finds.
type Verdict struct {
	Unexcused []Hit       // a rule that is too wide, or an exception that is missing
	Excused   []Hit       // AI services, by a reviewed exception
	Unused    []Exception // in the list no more, or not matched any more
}

// Judge holds hits against the exceptions.
func Judge(hits []Hit, exceptions []Exception) Verdict {
	var v Verdict
	by := map[string]Exception{}
	for _, e := range exceptions {
		for _, prefix := range Prefixes() {
			if _, taken := by[prefix+e.Name]; !taken || prefix == "" {
				by[prefix+e.Name] = e
			}
		}
	}
	used := map[string]bool{}
	for _, h := range hits {
		e, known := by[h.Name]
		provider, _, _ := strings.Cut(h.Signature, ".")
		if !known || provider != e.Provider {
			v.Unexcused = append(v.Unexcused, h)
			continue
		}
		used[e.Name] = true
		v.Excused = append(v.Excused, h)
	}
	for _, e := range exceptions {
		if !used[e.Name] {
			v.Unused = append(v.Unused, e)
		}
	}
	return v
}

// Left counts the names that are no exception and do not look like AI: those that
// may be called benign unseen.
func Left(names []string, exceptions []Exception) int {
	excepted := map[string]bool{}
	for _, e := range exceptions {
		for _, prefix := range Prefixes() {
			excepted[prefix+e.Name] = true
		}
	}
	left := 0
	for _, name := range names {
		if !excepted[name] && !LooksLikeAI(name) {
			left++
		}
	}
	return left
}
