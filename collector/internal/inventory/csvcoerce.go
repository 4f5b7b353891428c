package inventory

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A coercer turns what a cell says into what the schema wants. It returns the
// value unchanged where it cannot help; the check that follows rejects it then.
// reason is for the report and is used only where the value changed.
type coercer func(value string) (coerced, reason string)

// asWord folds case, spaces and hyphens, and knows other words for some values.
func asWord(synonyms map[string]string) coercer {
	return func(value string) (string, string) {
		folded := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(value))
		if word, known := synonyms[folded]; known {
			return word, "read as the word of the schema"
		}
		return folded, "written as the schema writes it"
	}
}

func kindSynonyms() map[string]string {
	return map[string]string{
		"api": "api_service", "service": "api_service", "saas": "saas_app", "app": "saas_app", "application": "saas_app",
		"plugin": "extension", "mcp": "mcp_server", "llm": "model",
	}
}

func statusSynonyms() map[string]string {
	return map[string]string{
		"allowed": "approved", "sanctioned": "approved", "banned": "prohibited", "blocked": "prohibited", "forbidden": "prohibited",
		"not_permitted": "prohibited", "limited": "restricted", "pending": "proposed", "requested": "proposed", "in_review": "proposed",
		"decommissioned": "retired",
	}
}

func paperSynonyms() map[string]string {
	return map[string]string{"yes": "signed", "in_place": "signed", "n/a": "not_required", "na": "not_required", "missing": "required"}
}

func asSlug(value string) (string, string) {
	return strings.Trim(regexp.MustCompile(`[\s_]+`).ReplaceAllString(strings.ToLower(value), "-"), "-"), "lower case, with hyphens for spaces"
}

func asLower(value string) (string, string) { return strings.ToLower(value), "lower case" }

func asEmail(value string) (string, string) {
	return strings.TrimPrefix(value, "mailto:"), "address without mailto:"
}

func asSHA256(value string) (string, string) {
	return strings.TrimPrefix(strings.ToLower(value), "sha256:"), "lower-case hex digits alone"
}

// asDomain takes the host out of a URL.
func asDomain(value string) (string, string) {
	const reason = "host name alone, lower case, without scheme, port and path"
	host := strings.ToLower(value)
	if strings.Contains(host, "://") {
		if u, err := url.Parse(host); err == nil && u.Hostname() != "" {
			host = u.Hostname()
		}
	}
	host, _, _ = strings.Cut(host, "/")
	if name, port, found := strings.Cut(host, ":"); found && port != "" && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return strings.TrimSuffix(host, "."), reason
}

func asNetwork(value string) (string, string) {
	if address, err := netip.ParseAddr(value); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()).String(), "one address as a prefix"
	}
	if prefix, err := netip.ParsePrefix(value); err == nil {
		return prefix.Masked().String(), "bits beyond the length of the prefix removed"
	}
	return value, ""
}

// asDate reads the forms whose order cannot be mistaken. 03/04/2026 can be, and
// stays as it is.
func asDate(value string) (string, string) {
	for _, layout := range []string{"2006/01/02", "2006/1/2", "2.1.2006", "2 Jan 2006", "2 January 2006", "January 2, 2006", "20060102", time.RFC3339, time.DateTime} {
		if at, err := time.Parse(layout, value); err == nil {
			return at.Format(time.DateOnly), "date as 2006-01-02"
		}
	}
	return value, ""
}

func asDuration(value string) (string, string) {
	const reason = "whole days or weeks"
	text := strings.ToLower(strings.ReplaceAll(value, " ", ""))
	if text != "" && strings.Trim(text, "0123456789") == "" {
		return text + "d", reason
	}
	for _, unit := range []struct{ name, short string }{{"days", "d"}, {"day", "d"}, {"weeks", "w"}, {"week", "w"}} {
		if count, found := strings.CutSuffix(text, unit.name); found {
			return count + unit.short, reason
		}
	}
	return text, reason
}

// asBool returns "true", "false" or the value itself.
func asBool(value string) (string, string) {
	switch strings.ToLower(value) {
	case "true", "yes", "y", "1":
		return "true", "read as true"
	case "false", "no", "n", "0":
		return "false", "read as false"
	}
	return value, ""
}

func asIs(value string) (string, string) { return value, "" }
