package signatures

// Suppression leaves the matches of one signature out until a day: what an
// organisation knows of and does not want to see. It is for the files of the
// organisation alone, see LoadOverlay.
type Suppression struct {
	Signature string `yaml:"signature"` // id
	Reason    string `yaml:"reason"`
	Until     string `yaml:"until"` // the first day on which it is seen again, 2006-01-02, UTC
}
