"""Measured trajectories as long tables: one row an instant of one trajectory of one member.

column                what
member                whose row it is; left out where a file holds one member, which then has the file's name
trajectory            which of its trajectories; left out where each member has one
t                     the instant, a number, increasing along each trajectory
as `states` names     the state; an instant where one is empty or NaN splits its trajectory
d<state>              its time derivative, where somebody knows it: for all states or for none
as `inputs` names     what drives the member
as `labels` names     what tells members apart, a number that is the same in all rows of a member

Other columns stay unread. CSV (UTF-8, decimal points), Parquet, HDF5 (one-dimensional datasets at the root) or NPZ; one
file, or a folder of files. Nothing that is read is executed. What was done to which rows is in the report.
"""
