package modelformat

// jsonFields calls visit for each string, number or literal that has a key,
// with the depth of its object; the root's is 1.
func jsonFields(c *cursor, visit func(depth int, key, value string)) bool {
	j := newJSON(c)
	key := ""
	for {
		switch t := j.next(); t {
		case 0:
			return c.err == nil && j.state == 'd'
		case 'k':
			key = string(j.text)
		case 's', 'n', 'l':
			if key != "" {
				visit(j.depth, key, string(j.text))
			}
			key = ""
		default:
			key = ""
		}
	}
}
