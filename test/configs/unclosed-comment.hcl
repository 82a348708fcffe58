# error: 3:1 this comment is never closed
name = "c1"
/* forgotten
