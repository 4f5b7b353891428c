package survey

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gnomon-ai/gnomon/signatures"
)

// Item is one thing in a catalogue that somebody should look at again.
type Item struct {
	Reason    string // see the reasons
	Signature string // id
	File      string
	Line      int
	What      string // sources[0], risk.retention, licence
	Source    string // URL
	Checked   string // date
	Days      int    // since then
	Enabled   bool
}

// The reasons for an Item.
const (
	ReasonOld    = "old"           // checked longer ago than was asked for
	ReasonUnread = "not reopened"  // cited without reading it again, by its own note
	ReasonSingle = "single source" // the signature rests on one source
)

// Review lists what is older than a duration at now, what was cited unread, and
// what rests on a single source: oldest first, then by id.
func Review(list []signatures.Signature, now time.Time, older time.Duration) []Item {
	var out []Item
	for i := range list {
		sig := &list[i]
		add := func(reason, what, source, checked string) {
			out = append(out, Item{
				Reason: reason, Signature: sig.ID, File: sig.File, Line: sig.Line, What: what, Source: source, Checked: checked,
				Days: days(checked, now), Enabled: sig.IsEnabled(),
			})
		}
		cited := func(what, source, checked, note string) {
			if now.Sub(date(checked)) > older {
				add(ReasonOld, what, source, checked)
			}
			if unread(note) {
				add(ReasonUnread, what, source, checked)
			}
		}
		for n, s := range sig.Sources {
			cited(fmt.Sprintf("sources[%d]", n), s.URL, s.Checked, s.Note)
		}
		for _, fact := range sig.Risk.Facts() {
			cited("risk."+fact.Name, fact.Source, fact.Checked, fact.Note)
		}
		if l := sig.Licence; l != nil {
			cited("licence", l.Source, l.Checked, "")
		}
		if len(sig.Sources) == 1 {
			add(ReasonSingle, "sources", sig.Sources[0].URL, sig.Sources[0].Checked)
		}
	}
	slices.SortStableFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Checked, b.Checked), cmp.Compare(a.Signature, b.Signature), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.What, b.What))
	})
	return out
}

// unread says whether a note tells that the page was not opened again.
func unread(note string) bool {
	note = strings.ToLower(note)
	return strings.Contains(note, "not reopened") || strings.Contains(note, "without reopening") || strings.Contains(note, "not opened again")
}

// date reads a day; what is none is as old as can be. Load refuses it.
func date(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

func days(checked string, now time.Time) int { return int(now.Sub(date(checked)).Hours() / 24) }
