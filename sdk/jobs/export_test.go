package jobs

// SelectDue is the statement whose plan tests look at.
const SelectDue = selectDue
