package files

import "sync/atomic"

// counter names one thing that is counted.
type counter int

const (
	cDirectories counter = iota
	cFiles
	cRead
	cModels
	cEmitted
	cUnchanged
	cRepeated
	cKnown
	cData
	cRemembered
	cNotRemembered
	cWalks
	cEvents
	cChangesIdle
	cOverflow
	cWatches
	cPanics

	cSmall
	cOtherKind
	cPartial
	cLinkInside
	cLinkOutside
	cNotRegular
	cExcluded
	cFilesystem

	cDenied
	cTooDeep
	cTooMany
	cChanged
	cReadError
	cVanished
	cParserFailed

	numCounters
)

var counterNames = [numCounters]string{
	cDirectories:   "directories",
	cFiles:         "files",
	cRead:          "files_read",
	cModels:        "models_found",
	cEmitted:       "observations",
	cUnchanged:     "models_unchanged",
	cRepeated:      "models_repeated",
	cKnown:         "known_paths",
	cData:          "data_files",
	cRemembered:    "files_unchanged",
	cNotRemembered: "files_not_remembered",
	cWalks:         "walks",
	cEvents:        "watch_events",
	cChangesIdle:   "changes_without_model",
	cOverflow:      "watch_overflows",
	cWatches:       "watch_failures",
	cPanics:        "parser_panics",
	cSmall:         "skipped_small",
	cOtherKind:     "skipped_other_kind",
	cPartial:       "skipped_partial_download",
	cLinkInside:    "skipped_link_in_root",
	cLinkOutside:   "skipped_link_out_of_root",
	cNotRegular:    "skipped_not_regular",
	cExcluded:      "skipped_excluded",
	cFilesystem:    "skipped_filesystem",
	cDenied:        "skipped_permission_denied",
	cTooDeep:       "skipped_too_deep",
	cTooMany:       "skipped_too_many",
	cChanged:       "skipped_changed_while_reading",
	cReadError:     "skipped_read_error",
	cVanished:      "skipped_vanished",
	cParserFailed:  "skipped_parser_failed",
}

// incompleteCounters are the skips that make a scan incomplete: something that
// should have been looked at was not.
var incompleteCounters = []counter{cDenied, cTooDeep, cTooMany, cChanged, cReadError, cParserFailed}

// blindCounters are the skips that coverage reports.
var blindCounters = []counter{cDenied, cTooDeep, cTooMany, cChanged, cReadError, cParserFailed, cFilesystem, cLinkOutside}

// reason returns the name of a skip without its prefix.
func (c counter) reason() string {
	const prefix = "skipped_"
	if n := counterNames[c]; len(n) > len(prefix) && n[:len(prefix)] == prefix {
		return n[len(prefix):]
	}
	return counterNames[c]
}

// detail says what a skip means and what to do about it.
func (c counter) detail() string {
	switch c {
	case cDenied:
		return "files or folders that may not be read; give the agent the right to read them"
	case cTooDeep:
		return "folders below max_depth"
	case cTooMany:
		return "more folders or models than max_pending or max_models"
	case cChanged:
		return "files that changed while they were read"
	case cReadError:
		return "files or folders that could not be read"
	case cParserFailed:
		return "files on which a parser failed; please report it"
	case cFilesystem:
		return "network and system file systems below a root; name one in roots to have it looked at"
	case cLinkOutside:
		return "links that lead out of the roots"
	}
	return ""
}

// counters count since the sensor started. Safe for concurrent use.
type counters struct {
	n [numCounters]atomic.Uint64
}

func (c *counters) add(k counter)        { c.n[k].Add(1) }
func (c *counters) get(k counter) uint64 { return c.n[k].Load() }

// all returns the counters that are not zero, by name.
func (c *counters) all() map[string]uint64 {
	m := make(map[string]uint64, numCounters)
	for k := range numCounters {
		if n := c.get(k); n > 0 {
			m[counterNames[k]] = n
		}
	}
	return m
}
