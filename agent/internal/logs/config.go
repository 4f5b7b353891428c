package logs

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/agent/internal/logs/format"
	"github.com/gnomon-ai/gnomon/agent/internal/logs/listen"
)

// Config says which logs are read.
type Config struct {
	Enabled    bool          `yaml:"enabled"`
	Checkpoint time.Duration `yaml:"checkpoint"` // how often findings of logs are stored with the positions up to which they stand
	Sources    []Source      `yaml:"sources"`
}

// Source is one log: files, a listener for syslog, or a socket for dnstap.
type Source struct {
	Name        string         `yaml:"name"`         // of the source in counters and messages
	Format      string         `yaml:"format"`       // one of format.List
	Files       []string       `yaml:"files"`        // absolute paths, with * ? [] in the file's name or a folder's
	Listen      *listen.Config `yaml:"listen"`       // syslog from the network, instead of files
	Socket      string         `yaml:"socket"`       // dnstap: Unix socket to make and take frames from, instead of files
	From        string         `yaml:"from"`         // start or end: what is read of files that are there when the source is new; "" is end
	FollowLinks bool           `yaml:"follow_links"` // follow symbolic links out of a file's folder
	Syslog      bool           `yaml:"syslog"`       // the lines of the files have a syslog envelope
	MaxLine     int            `yaml:"max_line"`     // bytes, longer lines are cut; 0 is the format's own bound
	SilentAfter time.Duration  `yaml:"silent_after"` // without a line for so long the source is reported; 0 for never

	Keys       format.Keys `yaml:"keys"`        // field -> keys or columns, see format.Keys; replaces the format's own, field by field
	Delimiter  string      `yaml:"delimiter"`   // csv: between columns, one character or \t; "" is a comma
	Header     bool        `yaml:"header"`      // csv: the first line names the columns
	TimeLayout string      `yaml:"time_layout"` // json, csv, keyvalue, cef, leef: as Go writes 2006-01-02 15:04:05; "" for any usual form
	TimeZone   string      `yaml:"time_zone"`   // of times without one, e.g. Europe/Berlin; "" is this host's
}

// Limits of a configuration.
const (
	maxSources  = 64
	maxPatterns = 64
	maxLine     = 4 << 20
)

// DefaultConfig reads nothing: where logs lie is for people to say.
func DefaultConfig() Config { return Config{Checkpoint: 30 * time.Second} }

// Validate names all that is wrong.
func (c Config) Validate() error {
	var all []error
	if c.Checkpoint < time.Second || c.Checkpoint > 10*time.Minute {
		all = append(all, fmt.Errorf("checkpoint: %v is not between 1s and 10m", c.Checkpoint))
	}
	if len(c.Sources) > maxSources {
		all = append(all, fmt.Errorf("sources: %d are more than %d", len(c.Sources), maxSources))
	}
	if c.Enabled && len(c.Sources) == 0 {
		all = append(all, errors.New("sources: name at least one, or set enabled to false"))
	}
	seen := map[string]bool{}
	for i := range c.Sources {
		s := &c.Sources[i]
		for _, problem := range s.problems() {
			all = append(all, fmt.Errorf("sources: %q: %w", s.Name, problem))
		}
		if seen[s.Name] {
			all = append(all, fmt.Errorf("sources: %q is there twice", s.Name))
		}
		seen[s.Name] = true
	}
	return errors.Join(all...)
}

// problems lists what is wrong with one source, each with its key.
func (s *Source) problems() []error {
	var all []error
	add := func(text string, args ...any) { all = append(all, fmt.Errorf(text, args...)) }
	if !isName(s.Name) {
		add("name: use 1 to 32 of a-z, 0-9 and _")
	}
	f, ok := format.Find(s.Format)
	if !ok {
		add("format: %q is not one of %s", s.Format, strings.Join(formatNames(), ", "))
	}
	if err := s.Keys.Validate(); err != nil {
		add("keys: %w", err)
	}
	if f.Mapped && len(s.Keys) == 0 {
		add("keys: %s needs to be told where its fields are", s.Format)
	}
	all = append(all, s.wayProblems(f)...)
	if s.MaxLine != 0 && (s.MaxLine < 256 || s.MaxLine > maxLine) {
		add("max_line: %d is not between 256 and %d", s.MaxLine, maxLine)
	}
	if s.SilentAfter < 0 {
		add("silent_after: %v is below 0", s.SilentAfter)
	}
	if d := s.Delimiter; d != "" && d != `\t` && (len(d) != 1 || d == `"` || d[0] >= 0x80) {
		add("delimiter: %q is not one ASCII character", d)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		add("time_zone: %q is not known here", s.TimeZone)
	}
	if s.From != "" && s.From != "start" && s.From != "end" {
		add("from: %q is not one of start, end", s.From)
	}
	return all
}

// wayProblems checks how the lines come in.
func (s *Source) wayProblems(f format.Format) []error {
	var all []error
	ways := 0
	for _, there := range []bool{len(s.Files) > 0, s.Listen != nil, s.Socket != ""} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		all = append(all, errors.New("files: set exactly one of files, listen and socket"))
	}
	if len(s.Files) > maxPatterns {
		all = append(all, fmt.Errorf("files: %d are more than %d", len(s.Files), maxPatterns))
	}
	for _, name := range s.Files {
		if _, err := path.Match(name, ""); err != nil || !filepath.IsAbs(name) || filepath.Clean(name) != name {
			all = append(all, fmt.Errorf("files: %q is no absolute path or pattern in its shortest form", name))
		}
	}
	if s.Listen != nil {
		if f.Framing == format.Frames {
			all = append(all, fmt.Errorf("listen: %s comes by socket or file", s.Format))
		}
		if err := s.Listen.Validate(); err != nil {
			all = append(all, fmt.Errorf("listen.%w", err))
		}
	}
	if s.Socket != "" && (f.Framing != format.Frames || !filepath.IsAbs(s.Socket)) {
		all = append(all, errors.New("socket: takes an absolute path, and the format dnstap"))
	}
	return all
}

func isName(s string) bool {
	return len(s) >= 1 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func formatNames() []string {
	var names []string
	for _, f := range format.List() {
		names = append(names, f.Name)
	}
	return slices.Sorted(slices.Values(names))
}

// options are what the parser is told. s has passed Validate.
func (s *Source) options() format.Options {
	o := format.Options{Keys: s.Keys, Header: s.Header, TimeLayout: s.TimeLayout}
	switch s.Delimiter {
	case "":
	case `\t`:
		o.Delimiter = '\t'
	default:
		o.Delimiter = s.Delimiter[0]
	}
	if s.TimeZone != "" {
		// Validate has loaded it before.
		o.Zone, _ = time.LoadLocation(s.TimeZone)
	}
	return o
}
