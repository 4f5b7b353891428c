package inventory

import (
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// Date is a calendar date, 2006-01-02. It stands for 00:00 UTC of that day.
type Date string

// Time returns the instant that d stands for; ok is false where d is empty or
// no date.
func (d Date) Time() (at time.Time, ok bool) {
	if len(d) != len(time.DateOnly) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.DateOnly, string(d))
	return at, err == nil && at.Year() >= 1970
}

// Duration is a whole number of days or weeks: "180d", "26w". "0d" means never.
type Duration string

// maxDays bounds a Duration (a hundred years), so that sums of dates stay sane.
const maxDays = 36525

// Days returns the length of d in days; ok is false where d is empty or no
// duration.
func (d Duration) Days() (days int, ok bool) {
	if len(d) < 2 || len(d) > 6 {
		return 0, false
	}
	unit := 1
	switch d[len(d)-1] {
	case 'd':
	case 'w':
		unit = 7
	default:
		return 0, false
	}
	digits := string(d[:len(d)-1])
	if strings.Trim(digits, "0123456789") != "" || (len(digits) > 1 && digits[0] == '0') {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n*unit > maxDays {
		return 0, false
	}
	return n * unit, true
}

// isEmail reports whether s is a bare e-mail address (RFC 5322 addr-spec).
func isEmail(s string) bool {
	if len(s) > 254 || strings.ContainsAny(s, "<> \t\r\n") {
		return false
	}
	address, err := mail.ParseAddress(s)
	if err != nil || address.Address != s {
		return false
	}
	at := strings.LastIndexByte(s, '@')
	return at > 0 && strings.Contains(s[at+1:], ".")
}

// isSlug reports whether s is a provider slug of the catalogue,
// ^[a-z0-9][a-z0-9-]{0,62}$.
func isSlug(s string) bool {
	if len(s) < 1 || len(s) > 63 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// isID reports whether s can be the id of an entry.
func isID(s string) bool { return len(s) >= 2 && isSlug(s) }

// isSHA256 reports whether s is 64 lower-case hex digits.
func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
