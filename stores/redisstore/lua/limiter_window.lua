-- A window: when it began and when it ends, in microseconds, and how many slots are reserved.
local WINDOW, SIZE = '<i8i8i8', 24
