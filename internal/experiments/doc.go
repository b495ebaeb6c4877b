// Package experiments holds tests that race, break or attack whole applications:
// many requests at once, stores that fail, processes, servers and connections that
// die or slow down, cookies and tokens made by hand. It also measures how long
// answers take. It contains tests only.
//
// There is a file for each promise of the suite, or family of experiments:
//
//	*_race_test.go     nothing acknowledged is lost, nothing ended comes back, once means once
//	faults*_test.go    a store that fails is an outage, and never an answer
//	kill*_test.go, slow_test.go, processes_test.go   servers and processes
//	hostile*_test.go   what nobody issued opens nothing
//	leaks_test.go, timing_test.go   an outsider learns nothing
//	flood_test.go      what a stranger can make the application spend is bounded
//	key_rotation_test.go   keys change under load
//
// By default each is a short round, or none where that finds nothing.
// GINAUTH_LONG=1 selects the full size. CONTRIBUTING.md has the commands.
package experiments
