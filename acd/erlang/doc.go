// Package erlang has the formulas by which a queue's figures are known beforehand: Erlang B and C, and Erlang A for
// callers whose patience ends. Package forecast holds the desk against them, and staffs by them.
//
// All are computed by recursion over the number of calls present, with probabilities that stay within 0 and 1:
// there is no factorial or power that could overflow. Sources:
//
//   - A. K. Erlang, Solution of some problems in the theory of probabilities of significance in automatic
//     telephone exchanges, 1917 (B and C).
//   - C. Palm, Research on telephone traffic carried by full availability groups, 1957 (A).
//   - O. Garnett, A. Mandelbaum, M. Reiman, Designing a call center with impatient customers, Manufacturing &
//     Service Operations Management 4(3), 2002 (A, and the law of the wait).
//
// The functions are pure, and may be called from any goroutine.
package erlang
