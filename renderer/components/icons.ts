/** Paths on a grid of 24 × 24. An icon never stands without words. */
export const icons = {
  still:
    'M5 20a4 4 0 018 0zM9 16V9a3 3 0 013-3h3l5 7v4M18.5 20.5a1.5 1.5 0 003 0c0-1-1.5-2.5-1.5-2.5s-1.5 1.5-1.5 2.5z',
  projects: 'M3 7l9-4 9 4-9 4zM3 7v10l9 4 9-4V7',
  recipes: 'M4 7h10M4 12h16M4 17h7M18 5v4M16 7h4M14 15v4',
  runs: 'M5 4l14 8-14 8z',
  compare: 'M9 3H4v18h5M15 3h5v18h-5M12 2v20',
  models: 'M4 4h7v7H4zM13 13h7v7h-7zM13 7h7M4 17h7',
  devices: 'M6 6h12v12H6zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4',
  settings: 'M12 9a3 3 0 100 6 3 3 0 000-6zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2',
  close: 'M6 6l12 12M18 6L6 18',
  warning: 'M12 4l9 16H3zM12 10v4M12 17v.5',
  info: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 7.5v.5',
  up: 'M6 15l6-6 6 6',
  down: 'M6 9l6 6 6-6',
  edit: 'M4 20h4L19 9l-4-4L4 16z',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  add: 'M12 5v14M5 12h14',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  bin: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  grip: 'M9 6v.5M15 6v.5M9 12v.5M15 12v.5M9 18v.5M15 18v.5',
  help: 'M12 3a9 9 0 100 18 9 9 0 000-18zM9.5 9.5a2.5 2.5 0 113.5 2.5c-1 .5-1 1-1 2M12 17v.5',
  pin: 'M9 4h6l-1 6 4 4H6l4-4zM12 14v7',
  larger: 'M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7',
  smaller: 'M20 10h-6V4M4 14h6v6M14 10l6-6M10 14l-6 6',
  search: 'M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20',
} as const

export type IconName = keyof typeof icons
