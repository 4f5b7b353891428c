package format

import "time"

// clock reads times of lines. It remembers what a calendar would have to be
// asked for on every line: the current year and the zone's offset. It is for
// one goroutine.
type clock struct {
	zone *time.Location
	now  func() time.Time

	asked   int64 // hour since 1970, in local time, that offset holds for
	offset  int64 // seconds east of UTC
	checked int   // lines since the year was asked for
	year    int
	month   int
}

// yearCheck is how many lines without a year share one look at the calendar.
const yearCheck = 1024

const second = int64(time.Second)

// lastSecond is the last time that is believed, the year 2200, in seconds since
// 1970. Nanoseconds since then fit 64 bits.
const lastSecond = 7258118400

func newClock(o Options) clock {
	c := clock{zone: o.Zone, now: o.Now, asked: -1 << 62}
	if c.zone == nil {
		c.zone = time.Local
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// days is the number of days from 1970-01-01 to a date of the Gregorian
// calendar (the algorithm follows from 400 years having 146,097 days, and from
// years that begin in March having their leap day at the end).
func days(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	ofEra := y - era*400
	ofYear := (153*(m-3)+2)/5 + d - 1
	return int64(era)*146097 + int64(ofEra*365+ofEra/4-ofEra/100+ofYear) - 719468
}

// local turns seconds of the zone's wall clock into seconds since 1970.
func (c *clock) local(wall int64) int64 {
	hour := wall / 3600
	if hour != c.asked {
		t := time.Date(1970, 1, 1, 0, 0, int(wall), 0, c.zone)
		c.asked, c.offset = hour, wall-t.Unix()
	}
	return wall - c.offset
}

// two reads two digits; -1 for anything else. A space stands for a leading zero.
func two(b []byte) int {
	if len(b) < 2 {
		return -1
	}
	tens := b[0]
	if tens == ' ' {
		tens = '0'
	}
	if tens < '0' || tens > '9' || b[1] < '0' || b[1] > '9' {
		return -1
	}
	return int(tens-'0')*10 + int(b[1]-'0')
}

func four(b []byte) int {
	high, low := two(b), -1
	if len(b) >= 4 {
		low = two(b[2:])
	}
	if high < 0 || low < 0 {
		return -1
	}
	return high*100 + low
}

// month reads an English month, three letters; 0 for anything else.
func month(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	for i, name := range [...]string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"} {
		if equalFold(b[:3], name) {
			return i + 1
		}
	}
	return 0
}

// date is checked for plausible values; one beyond a month's end rolls over.
func dateSeconds(y, m, d int) (int64, bool) {
	if y < 1970 || y > 2199 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, false
	}
	return days(y, m, d) * 86400, true
}

// timeOfDay reads 15:04:05 with a fraction; rest is what follows.
func timeOfDay(b []byte) (seconds, nanos int64, rest []byte, ok bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, 0, nil, false
	}
	h, m, s := two(b), two(b[3:]), two(b[6:])
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 {
		return 0, 0, nil, false
	}
	b = b[8:]
	if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
		nanos, b = fraction(b[1:])
	}
	return int64(h*3600 + m*60 + s), nanos, b, true
}

// fraction reads digits behind a point, as nanoseconds; digits beyond the ninth
// are passed over.
func fraction(b []byte) (nanos int64, rest []byte) {
	unit := second
	for len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		unit /= 10
		nanos += int64(b[0]-'0') * unit
		b = b[1:]
	}
	return nanos, b
}

// zone reads "Z", "+01:00", "+0100" or "+01"; found is false where none of them
// is there.
func zone(b []byte) (offset int64, rest []byte, found bool) {
	if len(b) == 0 {
		return 0, b, false
	}
	if b[0] == 'Z' || b[0] == 'z' {
		return 0, b[1:], true
	}
	if b[0] != '+' && b[0] != '-' || len(b) < 3 {
		return 0, b, false
	}
	h, m := two(b[1:]), 0
	if h < 0 || h > 23 {
		return 0, b, false
	}
	rest = b[3:]
	if len(rest) >= 3 && rest[0] == ':' && two(rest[1:]) >= 0 {
		m, rest = two(rest[1:]), rest[3:]
	} else if len(rest) >= 2 && two(rest) >= 0 {
		m, rest = two(rest), rest[2:]
	}
	offset = int64(h*3600 + m*60)
	if b[0] == '-' {
		offset = -offset
	}
	return offset, rest, true
}

// iso reads the times of RFC 3339 and ISO 8601: 2006-01-02T15:04:05.999Z07:00,
// also with a space for the T, an offset without its colon, or none, which is
// then the clock's zone.
func (c *clock) iso(b []byte) (nanos int64, rest []byte, ok bool) {
	if len(b) < 19 || b[4] != '-' && b[4] != '/' || b[7] != b[4] || b[10] != 'T' && b[10] != ' ' && b[10] != 't' {
		return 0, nil, false
	}
	date, ok := dateSeconds(four(b), two(b[5:]), two(b[8:]))
	if !ok {
		return 0, nil, false
	}
	return c.clockTime(date, b[11:])
}

// clockTime reads a time of day and, where there is one, an offset, which may
// stand behind one space.
func (c *clock) clockTime(date int64, b []byte) (nanos int64, rest []byte, ok bool) {
	day, nanos, rest, ok := timeOfDay(b)
	if !ok {
		return 0, nil, false
	}
	behind := rest
	if len(behind) > 1 && behind[0] == ' ' && (behind[1] == '+' || behind[1] == '-') && len(behind) >= 6 {
		behind = behind[1:]
	}
	if offset, after, found := zone(behind); found {
		return (date+day-offset)*second + nanos, after, true
	}
	return c.local(date+day)*second + nanos, rest, true
}

// named reads the times that write the month as a word:
//
//	02/Jan/2006:15:04:05 -0700     web servers
//	02-Jan-2006 15:04:05.000       BIND
//	Jan 02 2006 15:04:05           CEF, LEEF
//	Mon Jan  2 15:04:05 2006       asctime
//	Jan  2 15:04:05                syslog, RFC 3164; the year is the one that brings it near to now
func (c *clock) named(b []byte) (nanos int64, rest []byte, ok bool) {
	if len(b) >= 20 && (b[2] == '/' || b[2] == '-') && b[6] == b[2] && (b[11] == ':' || b[11] == ' ') {
		date, ok := dateSeconds(four(b[7:]), month(b[3:]), two(b))
		if !ok {
			return 0, nil, false
		}
		return c.clockTime(date, b[12:])
	}
	if len(b) >= 24 && b[3] == ' ' && month(b) == 0 {
		b = b[4:] // the day of the week
	}
	if len(b) < 15 || b[3] != ' ' || b[6] != ' ' {
		return 0, nil, false
	}
	m, d := month(b), two(b[4:])
	if m == 0 || d < 1 {
		return 0, nil, false
	}
	if len(b) >= 20 && b[11] == ' ' && four(b[7:]) > 0 {
		date, ok := dateSeconds(four(b[7:]), m, d)
		if !ok {
			return 0, nil, false
		}
		return c.clockTime(date, b[12:])
	}
	year, behind := 0, 0
	if len(b) >= 20 && b[15] == ' ' && four(b[16:]) >= 1970 && (len(b) == 20 || b[20] == ' ') {
		year, behind = four(b[16:]), 5
	} else {
		year = c.yearOf(m)
	}
	date, ok := dateSeconds(year, m, d)
	if !ok {
		return 0, nil, false
	}
	nanos, rest, ok = c.clockTime(date, b[7:])
	return nanos, rest[min(behind, len(rest)):], ok
}

// yearOf is the year in which month m is nearest to now.
func (c *clock) yearOf(m int) int {
	if c.checked == 0 {
		now := c.now().In(c.zone)
		c.year, c.month = now.Year(), int(now.Month())
		c.checked = yearCheck
	}
	c.checked--
	switch {
	case m-c.month > 6:
		return c.year - 1
	case c.month-m > 6:
		return c.year + 1
	}
	return c.year
}

// epoch reads a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970; which of them follows from its size.
func epoch(b []byte) (nanos int64, ok bool) {
	whole := b
	var part int64
	for i, c := range b {
		if c == '.' {
			whole = b[:i]
			var rest []byte
			if part, rest = fraction(b[i+1:]); len(rest) > 0 {
				return 0, false
			}
			break
		}
	}
	n, ok := number(whole)
	if !ok || n > 1<<62 || n < 1 {
		return 0, false
	}
	v, unit := int64(n), second
	switch {
	case v < 1e11:
	case v < 1e14:
		unit, part = int64(time.Millisecond), 0
	case v < 1e17:
		unit, part = int64(time.Microsecond), 0
	default:
		unit, part = 1, 0
	}
	if v/(second/unit) > lastSecond {
		return 0, false
	}
	return v*unit + part, true
}

// any reads a time in any of the forms above.
func (c *clock) any(b []byte) (nanos int64, ok bool) {
	if len(b) > 1 && b[0] == '[' {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	if b[0] >= '0' && b[0] <= '9' {
		if nanos, ok = epoch(b); ok {
			return nanos, true
		}
		if nanos, _, ok = c.iso(b); ok {
			return nanos, true
		}
	}
	nanos, _, ok = c.named(b)
	return nanos, ok
}
