// Statuses of completions: negative errno numbers of Linux.
export const EIO = -5
export const ENODEV = -19
export const ECANCELED = -125
