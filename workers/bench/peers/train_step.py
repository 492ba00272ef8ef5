"""One training step (forward, cross-entropy, backward, Adam) in PyTorch, batch 128; a JSON line per net on stdout.

Reads commands from stdin, one step a line, so that both sides can be timed in turn: a net's name, with
`channels_last` behind it for that layout, or `kd` for a step of the knowledge distillation tutorial.
"""
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(int(os.environ.get("THREADS", "2")))


def light():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, 10),
    )


def deep():
    return nn.Sequential(
        nn.Conv2d(3, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Dropout(0.1), nn.Linear(512, 10),
    )


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))


class Block(nn.Module):
    def __init__(self, i, c, stride):
        super().__init__()
        self.a, self.b = nn.Conv2d(i, c, 3, stride, 1, bias=False), nn.BatchNorm2d(c)
        self.c, self.d = nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c)
        change = stride != 1 or i != c
        self.s = nn.Sequential(nn.Conv2d(i, c, 1, stride, bias=False), nn.BatchNorm2d(c)) if change else nn.Identity()

    def forward(self, x):
        return F.relu(self.d(self.c(F.relu(self.b(self.a(x))))) + self.s(x))


def resnet20():
    layers, i = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for c, first in ((16, 1), (32, 2), (64, 2)):
        for b in range(3):
            layers.append(Block(i, c, 1 if b else first))
            i = c
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def mobile():
    layers, i = [nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()], 32
    for c, s in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers += [nn.Conv2d(i, i, 3, s, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU()]
        layers += [nn.Conv2d(i, c, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU()]
        i = c
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


nets = dict(light=light, deep=deep, mlp=mlp, resnet20=resnet20, mobile=mobile)
ready = {}


def stepper(line):
    name, *layout = line.split()
    if name == "kd":
        return kd_stepper()
    net = nets[name]()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x = torch.randn(128, *((1, 28, 28) if name == "mlp" else (3, 32, 32)))
    y = torch.randint(0, 10, (128,))
    if layout:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def step():
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def kd_stepper(t=2.0):
    teacher, student = deep().eval(), light()
    optimizer = torch.optim.Adam(student.parameters(), 1e-3)
    x, y = torch.randn(128, 3, 32, 32), torch.randint(0, 10, (128,))

    def step():
        optimizer.zero_grad()
        with torch.no_grad():
            zt = teacher(x)
        zs = student(x)
        soft = F.kl_div(F.log_softmax(zs / t, 1), F.softmax(zt / t, 1), reduction="batchmean") * t * t
        (0.25 * soft + 0.75 * F.cross_entropy(zs, y)).backward()
        optimizer.step()

    return step


print(json.dumps(dict(peer="torch " + torch.__version__)), flush=True)
for line in sys.stdin:
    name = line.strip()
    if name not in ready:
        ready[name] = stepper(name)
        for _ in range(3):
            ready[name]()
    started = time.perf_counter()
    ready[name]()
    print(json.dumps(dict(name=name, ms=(time.perf_counter() - started) * 1e3)), flush=True)
