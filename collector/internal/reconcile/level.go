package reconcile

// Specificity of a match: how narrowly a rule names a usage. The level of an
// entry for a usage is that of its best matching item, and the level of an item
// is that of its most specific key.
const (
	LevelSHA256     = 80 // model sha256
	LevelAccount    = 70 // an item qualified by an account
	LevelProduct    = 60 // software with publisher and name, extension with store and id
	LevelModelName  = 50 // exact model name
	LevelSignature  = 45 // exact signature id
	LevelHost       = 40 // exact host name
	LevelGlob       = 30 // signature glob; other globs and unqualified names likewise
	LevelWildcard   = 25 // wildcard domain
	LevelFamily     = 20 // model family
	LevelPublisher  = 15
	LevelProvider   = 10
	LevelAttributes = 5 // model format, model licence, extension store
)
