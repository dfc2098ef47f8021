package policy

// scope is a table without its type, for code that reads all tables.
type scope struct {
	name string
	keys []*key
}

// scopes lists every table. It is set in init because the tables' rows lead back to code that reads it.
var scopes []scope

func init() {
	scopes = []scope{
		{topKeys.name, topKeys.keys()},
		{retryKeys.name, retryKeys.keys()},
		{storeKeys.name, storeKeys.keys()},
		{authKeys.name, authKeys.keys()},
		{metricKeys.name, metricKeys.keys()},
		{streamKeys.name, streamKeys.keys()},
	}
}

// keysOf returns the rows of one table.
func keysOf(table string) []*key {
	for _, s := range scopes {
		if s.name == table {
			return s.keys
		}
	}
	return nil
}
