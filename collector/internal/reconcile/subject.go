package reconcile

import "strings"

// subject is a usage with its text folded to lower case, which costs nothing
// where it already is.
type subject struct {
	*Usage
	values                      [fieldCount]string // fieldPublisher stays empty: it stands for two others
	host, channel, region, user string
	at                          int64 // Unix seconds
}

func (s *subject) fill(u *Usage) {
	s.Usage = u
	for _, v := range [...]struct {
		field field
		value string
	}{
		{fieldSHA256, u.Model.SHA256},
		{fieldExtension, u.Extension.ID},
		{fieldSoftware, u.Software.Name},
		{fieldSignature, u.SignatureID},
		{fieldModelName, u.Model.Name},
		{fieldDomain, strings.TrimSuffix(u.Domain, ".")},
		{fieldFamily, u.Model.Family},
		{fieldSoftwarePublisher, u.Software.Publisher},
		{fieldModelPublisher, u.Model.Publisher},
		{fieldProvider, u.Provider},
		{fieldFormat, u.Model.Format},
		{fieldLicense, u.Model.License},
		{fieldStore, u.Extension.Store},
		{fieldAccount, u.Account},
	} {
		if v.value != "" {
			s.values[v.field] = strings.ToLower(v.value)
		}
	}
	s.host = strings.ToLower(u.Host)
	s.channel = strings.ToLower(u.Channel)
	s.region = strings.ToLower(u.Region)
	s.user = strings.ToLower(u.User)
	s.at = u.At.Unix()
}
